import type { EventDefinition } from '../core/events/definition.ts';
import { type RawEnvelope, envelopeSchema, merchantId as merchantIdSchema } from '../core/events/envelope.ts';
import type { Registry } from '../core/events/registry.ts';
import type { QueueTopology } from '../core/events/topology.ts';
import { majorOf, readableAs } from '../core/events/versions.ts';
import type { ErrorCode } from '../core/runtime/errors.ts';
import { toTraceparent } from '../core/runtime/tracing.ts';
import { type ReceivedMessage, redriveMarkerOf } from './message.ts';
import { findUnstorable, formatPath, mayBeUnstorable } from '../core/events/unstorable.ts';

/** An event that may be accepted: its envelope and its payload were both read. */
export interface DecodedEvent {
  messageId: string;
  receiptHandle: string;
  /** The specification's name of the queue. */
  sourceQueue: string;
  eventId: string;
  eventType: string;
  /** As received: the payload is brought to the current version when it is handled. */
  eventVersion: string;
  merchantId: string;
  correlationId: string;
  traceparent: string;
  /** The envelope's bytes as received; of a message wrapped by SNS, what it wraps. */
  body: Buffer;
  /** Whom it is about, and when it was emitted, epoch milliseconds. */
  person?: { subjectId: string; occurredAtMs: number };
  /** Somebody moved this message back from the DLQ, into which that handler's failure had put it. */
  redrive?: { handler: string };
}

/** Why a message is no event of ours. `message` names each faulty path; never a value, which may be about a person. */
export interface DecodeFault {
  code: Extract<ErrorCode, `envelope.${string}` | 'payload.invalid'>;
  message: string;
  /** As far as they could be read, for the dead letter. Not validated. */
  merchantId?: string;
  correlationId?: string;
  /** What this release does not know, and a newer one may. */
  ahead?: { eventType: string; major: string };
}

export type Decoded = { ok: true; event: DecodedEvent } | { ok: false; fault: DecodeFault };

const MAX_FAULTS = 5;
const MAX_CLAIMED_ID = 300;

type Fault = readonly [path: readonly PropertyKey[], message: string];

const describe = (faults: readonly Fault[]): string =>
  faults
    .slice(0, MAX_FAULTS)
    .map(([path, message]) => `${formatPath(path)}: ${message}`)
    .join('; ');

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads one message. Pure, but for a new trace id where the event brings none. Never throws: whatever the body is, the
 * answer is an event or the reason why it is none.
 */
export function decode(message: ReceivedMessage, queue: QueueTopology, registry: Registry): Decoded {
  const outer = parseJson(message.body);
  if (outer === undefined) return refuse('envelope.not_json', [[[], notJson(message.body)]]);

  const wrapped = isRecord(outer) && outer['Type'] === 'Notification' && typeof outer['Message'] === 'string';
  const text = wrapped ? String(outer['Message']) : message.body;
  const json = wrapped ? parseJson(text) : outer;
  if (json === undefined) return refuse('envelope.not_json', [[['Message'], notJson(text)]]);

  const claimed = claimedBy(json);
  const unstorable = mayBeUnstorable(text) ? findUnstorable(json, MAX_FAULTS) : [];
  if (unstorable.length > 0) {
    const inPayload = unstorable.every(({ path }) => path[0] === 'payload');
    const faults = unstorable.map((fault): Fault => [fault.path, fault.message]);
    return refuse(inPayload ? 'payload.invalid' : 'envelope.invalid', faults, claimed);
  }

  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) {
    const faults = envelope.error.issues.map((issue): Fault => [issue.path, issue.message]);
    return refuse('envelope.invalid', faults, claimed);
  }
  return read(message, queue, registry, envelope.data, Buffer.from(text, 'utf8'), claimed);
}

type Claimed = Pick<DecodeFault, 'merchantId' | 'correlationId' | 'ahead'>;

function read(
  message: ReceivedMessage,
  queue: QueueTopology,
  registry: Registry,
  envelope: RawEnvelope,
  body: Buffer,
  claimed: Claimed,
): Decoded {
  const { eventType, payload } = envelope;
  const received = versionOf(envelope);
  const definition = registry.get(eventType);
  if (definition === undefined) {
    const ahead = 'fault' in received ? {} : { ahead: { eventType, major: majorOf(received.version) } };
    return refuse('envelope.unknown_type', [[['eventType'], 'is no event of this system']], { ...claimed, ...ahead });
  }
  if (definition.queue !== queue.name)
    return refuse(
      'envelope.misrouted',
      [[['eventType'], `travels on ${definition.queue}, not on ${queue.name}`]],
      claimed,
    );

  if ('fault' in received) return refuse('envelope.invalid', [received.fault], claimed);
  const version = readableAs(definition, received.version);
  if (version === undefined) {
    const known = definition.versions.map((each) => each.version).join(', ');
    const fault: Fault = [['eventVersion'], `${received.version} cannot be read, known are ${known}`];
    const ahead = { eventType, major: majorOf(received.version) };
    return refuse('envelope.unsupported_version', [fault], { ...claimed, ahead });
  }
  const parsed = version.schema.safeParse(payload);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue): Fault => [['payload', ...issue.path], issue.message]);
    return refuse('payload.invalid', faults, claimed);
  }
  const owner = merchantOf(envelope, definition);
  if ('fault' in owner) return refuse('envelope.invalid', [owner.fault], claimed);
  const redrive = redriveMarkerOf(message);
  const subjectId = definition.person?.(payload);
  return {
    ok: true,
    event: {
      messageId: message.messageId,
      receiptHandle: message.receiptHandle,
      sourceQueue: queue.name,
      eventId: envelope.eventId,
      eventType,
      eventVersion: received.version,
      merchantId: owner.merchantId,
      correlationId: envelope.correlationId,
      traceparent: toTraceparent(envelope.traceId ?? message.traceHeader),
      body,
      ...(subjectId === undefined ? {} : { person: { subjectId, occurredAtMs: Date.parse(envelope.timestamp) } }),
      ...(redrive === undefined ? {} : { redrive }),
    },
  };
}

/** The envelope's version, or the payload's, which is where some producers put it. */
function versionOf({ eventVersion, payload }: RawEnvelope): { version: string } | { fault: Fault } {
  if (eventVersion !== undefined) return { version: eventVersion };
  const inPayload = payload['eventVersion'];
  if (inPayload === undefined) return { fault: [['eventVersion'], 'is missing'] };
  const parsed = envelopeSchema.shape.eventVersion.safeParse(inPayload);
  if (parsed.data !== undefined) return { version: parsed.data };
  return { fault: [['payload', 'eventVersion'], parsed.error?.issues[0]?.message ?? 'is invalid'] };
}

function merchantOf(envelope: RawEnvelope, definition: EventDefinition): { merchantId: string } | { fault: Fault } {
  const inPayload = envelope.payload['merchantId'];
  if (inPayload !== undefined) {
    const parsed = merchantIdSchema.safeParse(inPayload);
    if (!parsed.success) return { fault: [['payload', 'merchantId'], parsed.error.issues[0]?.message ?? 'is invalid'] };
    if (envelope.merchantId !== undefined && envelope.merchantId !== parsed.data)
      return { fault: [['payload', 'merchantId'], 'is another merchant than the envelope names'] };
    return { merchantId: parsed.data };
  }
  const merchantId = envelope.merchantId ?? definition.laneWithoutMerchant;
  return merchantId === undefined
    ? { fault: [['merchantId'], 'is missing, and this event belongs to a merchant'] }
    : { merchantId };
}

function claimedBy(json: unknown): Claimed {
  if (!isRecord(json)) return {};
  const inPayload = isRecord(json['payload']) ? json['payload']['merchantId'] : undefined;
  const merchantId = json['merchantId'] ?? inPayload;
  const correlationId = json['correlationId'];
  return {
    ...(typeof merchantId === 'string' ? { merchantId: merchantId.slice(0, MAX_CLAIMED_ID) } : {}),
    ...(typeof correlationId === 'string' ? { correlationId: correlationId.slice(0, MAX_CLAIMED_ID) } : {}),
  };
}

const refuse = (code: DecodeFault['code'], faults: readonly Fault[], claimed: Claimed = {}): Decoded => ({
  ok: false,
  fault: { code, message: describe(faults), ...claimed },
});

/** Undefined is no JSON value, so it can stand for "not JSON". */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The engine's own message quotes the text around the fault; only the place may be said. */
function notJson(text: string): string {
  try {
    JSON.parse(text);
  } catch (error) {
    const at = error instanceof Error ? / at position \d+/.exec(error.message)?.[0] : undefined;
    return `is not JSON${at === undefined ? '' : `, wrong${at}`}`;
  }
  return 'is not JSON';
}
