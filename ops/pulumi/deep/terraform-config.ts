import { type Graph, type Resource, isSecret } from '../verify/graph.ts';
import type { Block, ResourceSchemas } from './provider-schema.ts';

export interface Translation {
  /** A configuration in Terraform's JSON syntax. */
  config: unknown;
  resources: number;
  /** What this release of the provider does not know: it is left out, and so not judged. */
  unknown: readonly string[];
}

/** Where the two name a resource differently. */
const types: Readonly<Record<string, string>> = {
  'aws:cloudtrail/trail:Trail': 'aws_cloudtrail',
  'aws:lb/loadBalancer:LoadBalancer': 'aws_lb',
  'aws:rds/subnetGroup:SubnetGroup': 'aws_db_subnet_group',
  'aws:sqs/redriveAllowPolicy:RedriveAllowPolicy': 'aws_sqs_queue_redrive_allow_policy',
};
/** Where the two name a property differently. */
const properties: Readonly<Record<string, string>> = {
  'aws_cloudwatch_log_subscription_filter.logGroup': 'log_group_name',
  'aws_cloudwatch_metric_alarm.name': 'alarm_name',
  'aws_lambda_function.name': 'function_name',
  'aws_sns_topic_subscription.topic': 'topic_arn',
};

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** Pulumi names lists in the plural, Terraform its blocks in the singular. */
const namesOf = (key: string): string[] => {
  const name = snake(key);
  return [
    name,
    name.replace(/ies$/, 'y'),
    name.replace(/(ss|x|ch)es$/, '$1'),
    name.replace(/es$/, ''),
    name.replace(/s$/, ''),
    `${name}s`,
  ];
};

/** Translates what a run of the program declared; references are the values that the run made up for them. */
export function terraformConfig(graph: Graph, schemas: ResourceSchemas, provider: unknown): Translation {
  const unknown: string[] = [];
  const resource: Record<string, Record<string, unknown>> = {};
  let resources = 0;
  for (const each of graph) {
    if (!each.custom || !each.type.startsWith('aws:')) continue;
    const type = terraformType(each.type, schemas);
    const schema = type === undefined ? undefined : schemas[type];
    if (type === undefined || schema === undefined) {
      unknown.push(each.type);
      continue;
    }
    const named = (resource[type] ??= {});
    named[each.name.replaceAll(/[^A-Za-z0-9_-]/g, '-').replace(/^(?=[^A-Za-z_])/, '_')] = {
      ...translated(each, type, schema.block, unknown),
      ...(type === 'aws_lambda_function' ? { filename: 'code.zip' } : {}),
    };
    resources += 1;
  }
  return {
    config: {
      terraform: { required_providers: { aws: { source: 'hashicorp/aws' } } },
      provider: { aws: provider },
      resource,
    },
    resources,
    unknown: [...new Set(unknown)].toSorted(),
  };
}

function terraformType(type: string, schemas: ResourceSchemas): string | undefined {
  const [, module = '', kind = ''] = /^aws:(\w+)\/(\w+):/.exec(type) ?? [];
  const candidates = [types[type], `aws_${snake(module)}_${snake(kind)}`, `aws_${snake(kind)}`];
  return candidates.find((name): name is string => name !== undefined && schemas[name] !== undefined);
}

const translated = ({ inputs }: Resource, type: string, block: Block, unknown: string[]): Record<string, unknown> =>
  ofProperties(inputs, block, type, unknown);

function ofBlock(value: unknown, block: Block, path: string, unknown: string[]): unknown {
  const plain = isSecret(value) ? value.value : value;
  if (Array.isArray(plain)) return plain.map((each) => ofBlock(each, block, path, unknown));
  return typeof plain === 'object' && plain !== null ? ofProperties(plain, block, path, unknown) : plain;
}

function ofProperties(values: object, block: Block, path: string, unknown: string[]): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(values)) {
    const renamed = properties[`${path}.${key}`];
    const name = [...(renamed === undefined ? [] : [renamed]), ...namesOf(key)].find(
      (each) => block.attributes?.[each] !== undefined || block.block_types?.[each] !== undefined,
    );
    const nested = name === undefined ? undefined : block.block_types?.[name];
    if (name === undefined) unknown.push(`${path}.${key}`);
    else if (nested !== undefined) result[name] = ofBlock(inner, nested.block, `${path}.${name}`, unknown);
    else result[name] = ofAttribute(inner, block.attributes?.[name]?.type);
  }
  return result;
}

/** Pulumi gives the one element of a list that can have no more as itself. */
function ofAttribute(value: unknown, type: unknown): unknown {
  const plain = isSecret(value) ? value.value : value;
  const parts: readonly unknown[] = Array.isArray(type) ? type : [type];
  const [kind, inner] = parts;
  if (kind === 'list' || kind === 'set')
    return (Array.isArray(plain) ? plain : [plain]).map((each) => ofAttribute(each, inner));
  if (kind === 'object' && typeof plain === 'object' && plain !== null)
    return { ...nothing(inner), ...Object.fromEntries(Object.entries(plain).map(([key, each]) => [snake(key), each])) };
  return plain;
}

/** Of an object that stands for a block, every attribute must be there. */
const nothing = (attributes: unknown): Record<string, null> =>
  typeof attributes === 'object' && attributes !== null
    ? Object.fromEntries(Object.keys(attributes).map((name) => [name, null]))
    : {};
