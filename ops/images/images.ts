/** The two images; the console is the gateway's under another command, the migration the worker's. */
export interface ImageDefinition {
  name: 'worker' | 'gateway';
  dockerfile: string;
  /** What may be in it beside the base, in megabytes: more is something that should not be there. */
  budgetMb: number;
}

export const images: readonly ImageDefinition[] = [
  { name: 'worker', dockerfile: 'Dockerfile.worker', budgetMb: 90 },
  { name: 'gateway', dockerfile: 'Dockerfile.gateway', budgetMb: 90 },
];

/** Lives in the local storage only: nothing here is ever pushed. */
export const tagOf = (name: string, tag: string): string => `localhost/laneway/${name}:${tag}`;
