import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { arbitraryPayload, withUnknownFields } from '../testing/arbitrary-payload.ts';
import { currentVersion, registry } from './registry.ts';
import { readableAs, upcast } from './versions.ts';

const RUNS = { numRuns: 60 };

test('every payload of every registered version comes out of its upcasts as a valid current one', () => {
  for (const definition of registry.values()) {
    for (const { version, schema } of definition.versions) {
      fc.assert(
        fc.property(arbitraryPayload(schema), (payload) => {
          const current = upcast(definition, version, schema.parse(payload));
          assert.ok(currentVersion(definition).schema.safeParse(current).success, `${definition.name} ${version}`);
        }),
        RUNS,
      );
    }
  }
});

test('fields that a later minor adds, at any depth, break no consumer, are kept, and change nothing else', () => {
  for (const definition of registry.values()) {
    for (const { version, schema } of definition.versions) {
      const later = version.replace(/\.\d+\.\d+$/, '.9999.0');
      const read = (payload: unknown) => {
        const reader = readableAs(definition, later);
        if (reader === undefined) throw new Error(`${definition.name} cannot read ${later}`);
        return upcast(definition, later, reader.schema.parse(payload));
      };
      fc.assert(
        fc.property(arbitraryPayload(schema), fc.jsonValue({ maxDepth: 1 }), (payload, value) => {
          const [newest] = definition.versions.filter((each) => each === readableAs(definition, later));
          const plain = newest?.schema.safeParse(payload);
          // What an older minor allows a newer one reads too; a payload of the newest is not needed here.
          assert.ok(plain?.success, `${definition.name} ${version}`);
          const extended = z
            .record(z.string(), z.unknown())
            .parse(read(withUnknownFields(schema, payload, 'fieldOfTomorrow', value)));
          assert.equal(extended['fieldOfTomorrow'], value, `${definition.name} drops what it does not know`);
          assert.equal(withoutField(extended), withoutField(read(payload)));
        }),
        RUNS,
      );
    }
  }
});

const withoutField = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutField);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name]) => name !== 'fieldOfTomorrow');
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutField(each)]));
};

test('at least two events have a second version, and what changed is what their upcasts mend', () => {
  const product = registry.get('ProductCoreDataUpdatedEvent');
  if (product === undefined) throw new Error('products have no event');
  const old = product.versions[0].schema.parse({
    productId: 'sku-1',
    operationType: 'UPDATE',
    timestamp: '2026-11-23T12:15:00+02:00',
    note: 'kept',
  });
  assert.equal(upcast(product, '1.0.0', old), {
    productId: 'sku-1',
    operationType: 'update',
    timestamp: '2026-11-23T10:15:00.000Z',
    note: 'kept',
  });
  const severalVersions = [...registry.values()].filter(({ versions }) => versions.length > 1);
  assert.ok(severalVersions.length >= 2);
});

test.run();
