import type { Topology } from '../../../../core/events/topology.ts';
import type { Names } from '../../names.ts';
import type { Size } from '../../sizes.ts';
import type { Graph } from '../graph.ts';

/** What a check judges a graph by. */
export interface Context {
  topology: Topology;
  names: Names;
  size: Size;
  stack: string;
}

/** One thing that must hold of every stack. Answers with what is wrong, each a sentence that names the resource. */
export interface Check {
  name: string;
  complaints(graph: Graph, context: Context): string[] | Promise<string[]>;
}

export const complain = (wrong: boolean, complaint: string): string[] => (wrong ? [complaint] : []);
