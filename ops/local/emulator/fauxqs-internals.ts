/**
 * The parts of fauxqs 2.4.1 that its package does not export. `import.meta.resolve` finds the installed files, which a
 * file URL may load; the types come from its own declarations by path, because the package's export map hides those too.
 * That is what the casts here are for. A new version of fauxqs means reading this folder again.
 */
type StoreModule = typeof import('../../../node_modules/fauxqs/dist/sqs/sqsStore.js');
type TypesModule = typeof import('../../../node_modules/fauxqs/dist/sqs/sqsTypes.js');
type SnsStoreModule = typeof import('../../../node_modules/fauxqs/dist/sns/snsStore.js');
type S3StoreModule = typeof import('../../../node_modules/fauxqs/dist/s3/s3Store.js');
type S3FilesModule = typeof import('../../../node_modules/fauxqs/dist/s3/fileS3Persistence.js');
type ErrorsModule = typeof import('../../../node_modules/fauxqs/dist/common/errors.js');
type Md5Module = typeof import('../../../node_modules/fauxqs/dist/common/md5.js');
type XmlModule = typeof import('../../../node_modules/fauxqs/dist/common/xml.js');
type FilterModule = typeof import('../../../node_modules/fauxqs/dist/sns/filter.js');

const base = new URL('.', import.meta.resolve('fauxqs'));
const load = (path: string): Promise<unknown> => import(new URL(path, base).href);

export const { SqsQueue, SqsStore } = (await load('sqs/sqsStore.js')) as StoreModule;
export const { ALL_ATTRIBUTE_NAMES, SQS_MAX_MESSAGE_SIZE_BYTES, calculateMessageSize, validateQueueAttributes } =
  (await load('sqs/sqsTypes.js')) as TypesModule;
export const { SnsStore } = (await load('sns/snsStore.js')) as SnsStoreModule;
export const { S3Store } = (await load('s3/s3Store.js')) as S3StoreModule;
export const { FileS3Persistence } = (await load('s3/fileS3Persistence.js')) as S3FilesModule;
export const { SqsError, SnsError, QueueDoesNotExistError } = (await load('common/errors.js')) as ErrorsModule;
export const { md5, md5OfMessageAttributes } = (await load('common/md5.js')) as Md5Module;
export const { snsSuccessResponse, snsErrorResponse, escapeXml } = (await load('common/xml.js')) as XmlModule;
export const { validateFilterPolicyLimits } = (await load('sns/filter.js')) as FilterModule;

export type SqsQueue = InstanceType<typeof SqsQueue>;
export type SqsError = InstanceType<typeof SqsError>;
export type SnsStore = InstanceType<typeof SnsStore>;
export type SqsActionHandler = import('../../../node_modules/fauxqs/dist/sqs/sqsRouter.js').SqsActionHandler;
export type SnsTopic = import('../../../node_modules/fauxqs/dist/sns/snsTypes.js').SnsTopic;
export type SnsSubscription = import('../../../node_modules/fauxqs/dist/sns/snsTypes.js').SnsSubscription;
export type MessageAttribute = import('../../../node_modules/fauxqs/dist/sqs/sqsTypes.js').MessageAttributeValue;

/** Actions of fauxqs that are right as they are. */
export async function loadSqsAction(file: string, name: string): Promise<SqsActionHandler> {
  const module = (await load(`sqs/actions/${file}.js`)) as Record<string, SqsActionHandler | undefined>;
  const handler = module[name];
  if (handler === undefined) throw new Error(`fauxqs has no ${name}`);
  return handler;
}
