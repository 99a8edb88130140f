import type { Check } from './check.ts';
import * as containers from './containers.ts';
import * as durability from './durability.ts';
import * as encryption from './encryption.ts';
import * as messaging from './messaging.ts';
import * as network from './network.ts';
import * as observability from './observability.ts';
import * as permissions from './permissions.ts';

/** Every check, each of which `faults.ts` sees fail. */
export const checks: readonly Check[] = [
  messaging.queuesOfTheRegistry,
  messaging.queuesKeepOrder,
  messaging.queuesRedrive,
  messaging.queuesKeepMessages,
  messaging.topicsReachQueues,
  messaging.alarmTopicsAreStandard,
  encryption.everythingIsEncrypted,
  encryption.messagesKeyServesSns,
  encryption.dataKeyServesLogsAndTrail,
  encryption.secretsStaySecret,
  encryption.bucketsAreClosed,
  encryption.bucketsAreOurs,
  encryption.auditIsKept,
  network.nothingIsOpen,
  network.storesAreIsolated,
  network.threeZones,
  network.endpointsAreThere,
  network.listenersSpeakTls,
  permissions.nothingIsWild,
  permissions.actionsExist,
  permissions.rolesAreForOneAccount,
  permissions.rolesNameTheirOwn,
  containers.containersAreConfined,
  containers.environmentAgrees,
  containers.secretsComeByReference,
  containers.timeoutsAgree,
  containers.imagesArePinned,
  observability.alarmsWatchWhatIsThere,
  observability.targetsAreWatchedTogether,
  observability.alarmsTell,
  observability.everythingIsWatched,
  observability.dashboardIsDrawn,
  durability.dataIsProtected,
  durability.dataIsBackedUp,
  durability.databaseIsWatchedAndClosed,
  durability.cacheRefusesToForget,
  durability.rolloutsAreTakenBack,
  durability.logsEnd,
];
