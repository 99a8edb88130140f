import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Resource } from '../verify/graph.ts';
import type { ResourceSchemas } from './provider-schema.ts';
import { terraformConfig } from './terraform-config.ts';

const schemas: ResourceSchemas = {
  aws_sqs_queue: { block: { attributes: { name: { type: 'string' }, fifo_queue: { type: 'bool' } } } },
  aws_vpc: { block: { attributes: { cidr_block: { type: 'string' }, tags: { type: ['map', 'string'] } } } },
  aws_lb: { block: { attributes: { subnets: { type: ['set', 'string'] } } } },
  aws_ecs_service: {
    block: {
      attributes: { name: { type: 'string' } },
      block_types: {
        capacity_provider_strategy: { block: { attributes: { capacity_provider: { type: 'string' } } } },
        alarms: { block: { attributes: { alarm_names: { type: ['set', 'string'] } } } },
      },
    },
  },
};
const resource = (type: string, name: string, inputs: Record<string, unknown>): Resource => ({
  urn: `urn::${type}::${name}`,
  type,
  name,
  custom: true,
  parent: undefined,
  protect: false,
  dependsOn: [],
  inputs,
});
const translate = (...graph: Resource[]) => terraformConfig(graph, schemas, { region: 'eu-central-1' });

test('resources are named as the provider names them, secrets laid open, lists and blocks as it wants them', () => {
  const secret = { '4dabf18193072939515e22adb298388d': '1b47061264138c4ac30d75fd1eb44270', value: 'hidden' };
  const { config, resources, unknown } = translate(
    resource('aws:sqs/queue:Queue', 'orders', { name: secret, fifoQueue: true }),
    resource('aws:ec2/vpc:Vpc', '0net', { cidrBlock: '10.0.0.0/16', tags: { 'laneway:stack': 'x' } }),
    resource('aws:lb/loadBalancer:LoadBalancer', 'front', { subnets: 'one' }),
    resource('aws:ecs/service:Service', 'worker', {
      capacityProviderStrategies: [{ capacityProvider: 'FARGATE' }],
      alarms: { alarmNames: ['a'] },
    }),
  );
  assert.equal(config, {
    terraform: { required_providers: { aws: { source: 'hashicorp/aws' } } },
    provider: { aws: { region: 'eu-central-1' } },
    resource: {
      aws_sqs_queue: { orders: { name: 'hidden', fifo_queue: true } },
      aws_vpc: { _0net: { cidr_block: '10.0.0.0/16', tags: { 'laneway:stack': 'x' } } },
      aws_lb: { front: { subnets: ['one'] } },
      aws_ecs_service: {
        worker: {
          capacity_provider_strategy: [{ capacity_provider: 'FARGATE' }],
          alarms: { alarm_names: ['a'] },
        },
      },
    },
  });
  assert.equal([resources, unknown], [4, []]);
});

test('what the provider does not know is left out and listed', () => {
  const { config, resources, unknown } = translate(
    resource('aws:sqs/queue:Queue', 'orders', { name: 'orders', colour: 'blue' }),
    resource('aws:new/thing:Thing', 'one', {}),
    { ...resource('laneway:Messaging', 'messaging', {}), custom: false },
  );
  assert.is(JSON.stringify(config).includes('blue'), false);
  assert.equal([resources, unknown], [1, ['aws:new/thing:Thing', 'aws_sqs_queue.colour']]);
});

test.run();
