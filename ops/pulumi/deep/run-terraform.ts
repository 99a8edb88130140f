import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { ALL, runTool, tryTool } from '../../images/run-tool.ts';

const INIT_MS = 120_000;
const SCHEMA_MS = 180_000;
const PLAN_MS = 600_000;

/** A folder in which terraform has the provider of AWS. */
export interface Terraform extends Disposable {
  /** What `terraform providers schema -json` prints. */
  schema(): Promise<string>;
  /** What is wrong with a configuration, by `validate` and, if that is content, by `plan`. */
  complaints(config: unknown): Promise<string[]>;
}

/** Throws when terraform cannot get the provider: `plugins` is a folder that holds it, else the registry is asked. */
export async function prepareTerraform(plugins: string | undefined): Promise<Terraform> {
  const folder = mkdtempSync(join(tmpdir(), 'laneway-terraform-'));
  const dispose = () => rmSync(folder, { recursive: true, force: true });
  const at = `-chdir=${folder}`;
  const write = (config: unknown) => writeFileSync(join(folder, 'main.tf.json'), JSON.stringify(config, null, 1));
  write({ terraform: { required_providers: { aws: { source: 'hashicorp/aws' } } } });
  try {
    const from = plugins === undefined ? [] : [`-plugin-dir=${plugins}`];
    await runTool('terraform', [at, 'init', '-input=false', '-no-color', ...from], INIT_MS);
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    schema: () => runTool('terraform', [at, 'providers', 'schema', '-json'], SCHEMA_MS, ALL),
    async complaints(config) {
      write(config);
      const validated = await tryTool('terraform', [at, 'validate', '-json'], PLAN_MS, ALL);
      const faults = readDiagnostics(`[${validated.stdout}]`).flatMap(({ diagnostics }) => diagnostics);
      if (faults.length > 0) return faults.map(sentence);
      const planned = await tryTool('terraform', [at, 'plan', '-json', '-input=false', '-refresh=false'], PLAN_MS, ALL);
      const lines = planned.stdout.split('\n').filter((line) => line.startsWith('{'));
      const errors = lines
        .map((line) => planLine.parse(JSON.parse(line)))
        .flatMap(({ diagnostic }) => (diagnostic?.severity === 'error' ? [sentence(diagnostic)] : []));
      return planned.code === 0 || errors.length > 0 ? errors : [`plan ended with ${planned.code}: ${planned.stderr}`];
    },
    [Symbol.dispose]: dispose,
  };
}

const diagnostic = z.object({
  severity: z.string(),
  summary: z.string(),
  detail: z.string().optional(),
  address: z.string().optional(),
});
const planLine = z.object({ diagnostic: diagnostic.optional() });
const validation = z.array(z.object({ diagnostics: z.array(diagnostic) }));
const readDiagnostics = (printed: string) =>
  validation.parse(JSON.parse(printed)).map(({ diagnostics }) => ({
    diagnostics: diagnostics.filter(({ severity }) => severity === 'error'),
  }));

const sentence = ({ summary, detail = '', address }: z.infer<typeof diagnostic>): string =>
  [address, summary, detail].filter(Boolean).join(': ').replaceAll(/\s+/g, ' ');
