import { type ServerUnaryCall, type sendUnaryData, Server, ServerCredentials, status } from '@grpc/grpc-js';
// These are CommonJS and fill their exports at run time: only the default import has all of them.
import engineService from '@pulumi/pulumi/proto/engine_grpc_pb.js';
import engine, { type LogRequest, type SetRootResourceRequest } from '@pulumi/pulumi/proto/engine_pb.js';
import monitorService from '@pulumi/pulumi/proto/resource_grpc_pb.js';
import resources, {
  type DeploymentInfo,
  type ReadResourceRequest,
  type RegisterResourceRequest,
  type RegisterResourceResponse,
  type ResourceCallRequest,
  type ResourceInvokeRequest,
} from '@pulumi/pulumi/proto/resource_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import struct from 'google-protobuf/google/protobuf/struct_pb.js';
import type { Resource } from './graph.ts';
import { mockOutputs } from './mock-outputs.ts';

/**
 * As much of Pulumi's engine as a program sees of it, on the loopback interface: it takes registrations, refuses a URN that
 * it has already, and answers as AWS would. In a preview it answers as the real one does, with nothing that only AWS knows.
 */
export interface LoopbackEngine extends AsyncDisposable {
  address: string;
  resources: readonly Resource[];
  /** What the program logged as an error. */
  errors: readonly string[];
}

type Handler<Request, Response> = (request: Request) => Response;

const unary =
  <Request, Response>(handle: Handler<Request, Response>) =>
  (call: ServerUnaryCall<Request, Response>, callback: sendUnaryData<Response>): void => {
    try {
      callback(null, handle(call.request));
    } catch (error) {
      callback({ code: status.INVALID_ARGUMENT, message: error instanceof Error ? error.message : String(error) });
    }
  };

export async function startEngine(options: { stack: string; preview: boolean }): Promise<LoopbackEngine> {
  const known = new Map<string, Resource>();
  const errors: string[] = [];
  let root = '';

  const urnOf = (request: RegisterResourceRequest): string => {
    const parentType = request.getParent().split('::')[2];
    const nested = parentType === undefined || parentType === 'pulumi:pulumi:Stack' ? '' : `${parentType}$`;
    return `urn:pulumi:${options.stack}::laneway::${nested}${request.getType()}::${request.getName()}`;
  };

  const register = (request: RegisterResourceRequest): RegisterResourceResponse => {
    const urn = urnOf(request);
    // Pulumi's own answer to two resources of one name.
    if (known.has(urn)) throw new Error(`Duplicate resource URN '${urn}'; try giving it a unique name`);
    const inputs = (request.getObject()?.toJavaScript() ?? {}) as Record<string, unknown>;
    known.set(urn, {
      urn,
      type: request.getType(),
      name: request.getName(),
      custom: request.getCustom(),
      parent: request.getParent() === '' ? undefined : request.getParent(),
      protect: request.getProtect() === true,
      dependsOn: request.getDependenciesList(),
      inputs,
    });
    const response = new resources.RegisterResourceResponse();
    response.setUrn(urn);
    if (options.preview || !request.getCustom()) {
      response.setObject(struct.Struct.fromJavaScript(inputs as Parameters<typeof struct.Struct.fromJavaScript>[0]));
      return response;
    }
    const { id, state } = mockOutputs(request.getType(), request.getName(), inputs);
    response.setId(id);
    response.setObject(struct.Struct.fromJavaScript(state as Parameters<typeof struct.Struct.fromJavaScript>[0]));
    return response;
  };

  const features = (): DeploymentInfo => {
    const info = new resources.DeploymentInfo();
    const { ResourceMonitorFeature: feature } = resources;
    info.setSupportedfeaturesList([
      feature.RESOURCE_MONITOR_FEATURE_SECRETS,
      feature.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
      feature.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    ]);
    return info;
  };
  const refuse =
    (what: string) =>
    (token: string): never => {
      throw new Error(`the program asks AWS for ${what} ${token}; it should be told by its settings`);
    };

  const server = new Server();
  server.addService(monitorService.ResourceMonitorService, {
    getDeploymentInfo: unary(features),
    supportsFeature: unary(() => new resources.SupportsFeatureResponse()),
    registerResource: unary(register),
    registerResourceOutputs: unary(() => new empty.Empty()),
    invoke: unary((request: ResourceInvokeRequest) => refuse('the answer of')(request.getTok())),
    call: unary((request: ResourceCallRequest) => refuse('a call of')(request.getTok())),
    readResource: unary((request: ReadResourceRequest) =>
      refuse('a resource that it does not own,')(request.getType()),
    ),
    existsResource: unary(() => refuse('whether')('a resource exists')),
    registerStackTransform: unary(() => new empty.Empty()),
    registerStackInvokeTransform: unary(() => new empty.Empty()),
    registerResourceHook: unary(() => new empty.Empty()),
    registerErrorHook: unary(() => new empty.Empty()),
    registerPackage: unary(() => new resources.RegisterPackageResponse()),
    signalAndWaitForShutdown: unary(() => new empty.Empty()),
  });
  server.addService(engineService.EngineService, {
    log: unary((request: LogRequest) => {
      if (request.getSeverity() === engine.LogSeverity.ERROR) errors.push(request.getMessage());
      return new empty.Empty();
    }),
    getRootResource: unary(() => {
      const response = new engine.GetRootResourceResponse();
      response.setUrn(root);
      return response;
    }),
    setRootResource: unary((request: SetRootResourceRequest) => {
      root = request.getUrn();
      return new engine.SetRootResourceResponse();
    }),
    startDebugging: unary(() => new empty.Empty()),
    requirePulumiVersion: unary(() => new engine.RequirePulumiVersionResponse()),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    get resources() {
      return [...known.values()];
    },
    errors,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    },
  };
}
