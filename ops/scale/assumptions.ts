/** What nobody has measured: how much merchants do, what AWS asks and allows. Put in your own and make the page again. */

/** Per merchant and day, all events together; the peak is of a busy hour against the day's average. */
export const demand = { eventsPerMerchantAndDay: 30, peakToAverage: 4, emittedPerEvent: 0.5, messagesPerRequest: 4 };

/** How long everything may stand still before stores that hold what waits are full, seconds. */
export const standstillSeconds = 600;

/** Days that Postgres keeps events, as LANEWAY_PURGE_DAYS. */
export const keptDays = 30;

/** Nothing is planned to be busier than that. */
export const busyShare = 0.6;

/** US dollars, on demand, Frankfurt, as remembered in November 2026 and rounded: for proportions, not for a budget. */
export const prices = {
  auroraVcpuHour: 0.175,
  auroraGbMonth: 0.25,
  fargateVcpuHour: 0.047,
  fargateGbHour: 0.0051,
  /** Three of four workers run on spare capacity, at about a third of the price. */
  spotFactor: 0.5,
  cacheGbHour: 0.02,
  sqsMillionRequests: 0.5,
  snsMillionRequests: 0.5,
  dynamoMillionWrites: 0.76,
  dynamoMillionReads: 0.15,
  dynamoGbMonth: 0.306,
  natGatewayHour: 0.052,
  /** In one zone. */
  endpointHour: 0.012,
  balancerHour: 0.027,
  keyMonth: 1,
  secretMonth: 0.4,
  firewallMonth: 15,
  alarmMonth: 0.1,
  /** One dimension set of a metric of our own. */
  metricMonth: 0.3,
  logsGb: 0.63,
};

/** By the hour, of the classes in ops/pulumi/sizes.ts: instances of Aurora as I/O-Optimized, nodes of Valkey. */
export const hourly: Readonly<Record<string, number>> = {
  'db.t4g.medium': 0.12,
  'db.r8g.large': 0.39,
  'db.r8g.2xlarge': 1.55,
  'cache.t4g.small': 0.03,
  'cache.m7g.large': 0.15,
  'cache.m7g.xlarge': 0.3,
};

/** What a stack writes into its logs, gigabytes a month, beside the load; and how many metrics of ours it has. */
export const observed = { logsGbMonth: 20, metrics: 150 };

/** What AWS allows without being asked; quotas of an account can differ. */
export const limits = {
  /** Calls a second of one FIFO queue at high throughput, without batches. */
  fifoCallsPerSecond: 18_000,
  /** Calls a second of one message group, which is one merchant. */
  groupCallsPerSecond: 300,
  /** Write units a second of a table on demand. */
  tableWritesPerSecond: 40_000,
  largestWriterVcpus: 192,
};
