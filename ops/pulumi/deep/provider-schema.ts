import { z } from 'zod';

/** A type as Terraform writes it: `"string"`, `["list", "string"]`, `["object", { … }]`. */
export type AttributeType = string | readonly [string, unknown];

export interface Block {
  attributes?:
    | Record<
        string,
        { type?: AttributeType | undefined; computed?: boolean | undefined; optional?: boolean | undefined }
      >
    | undefined;
  block_types?: Record<string, { block: Block }> | undefined;
}

const block: z.ZodType<Block> = z.lazy(() =>
  z.object({
    attributes: z
      .record(
        z.string(),
        z.object({
          type: z.union([z.string(), z.tuple([z.string(), z.unknown()])]).optional(),
          computed: z.boolean().optional(),
          optional: z.boolean().optional(),
        }),
      )
      .optional(),
    block_types: z.record(z.string(), z.object({ block })).optional(),
  }),
);
const document = z.object({
  provider_schemas: z.record(z.string(), z.object({ resource_schemas: z.record(z.string(), z.object({ block })) })),
});

/** Resources by their Terraform type. */
export type ResourceSchemas = Readonly<Record<string, { block: Block }>>;

/** Reads what `terraform providers schema -json` printed. */
export function readSchemas(printed: string): ResourceSchemas {
  const [provider] = Object.values(document.parse(JSON.parse(printed)).provider_schemas);
  if (provider === undefined) throw new Error('terraform knows no provider');
  return provider.resource_schemas;
}
