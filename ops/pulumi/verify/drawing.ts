import type { Graph, Resource } from './graph.ts';

/**
 * docs/infrastructure.md: the components and what each is made of, as a drawing of Mermaid and a table. Kinds of resources are
 * named and not counted, so that it does not change with every event of the registry.
 */
export function drawing(graph: Graph): string {
  const components = graph.filter(({ custom, parent }) => !custom && parent === undefined);
  const byUrn = new Map(graph.map((resource) => [resource.urn, resource]));
  const top = (resource: Resource): Resource => {
    const parent = resource.parent === undefined ? undefined : byUrn.get(resource.parent);
    return parent === undefined ? resource : top(parent);
  };
  const label = ({ type, name }: Resource) => `${name} (${type.replace('laneway:', '')})`;
  const ids = new Map(components.map(({ urn }, index) => [urn, `c${index}`]));
  const members = Map.groupBy(
    graph.filter(({ custom }) => custom),
    (resource) => top(resource).urn,
  );
  const edges = new Set<string>();
  for (const [component, own] of members)
    for (const { dependsOn } of own)
      for (const urn of dependsOn) {
        const target = byUrn.get(urn);
        const other = target === undefined ? undefined : top(target).urn;
        if (other !== undefined && other !== component && ids.has(other) && ids.has(component))
          edges.add(`  ${ids.get(component)} --> ${ids.get(other)}`);
      }
  const kinds = (own: readonly Resource[]): string =>
    [...new Set(own.map(({ type }) => type.split(':').at(-1) ?? type))].toSorted().join(', ');
  return [
    '# Infrastructure',
    '',
    'Made from the program in `ops/pulumi/` by `npm run infra:graph -- --drawing`; do not edit. The production stack: an arrow',
    'says that resources of the one need something of the other. `npm run infra:graph` prints every resource.',
    '',
    '```mermaid',
    'flowchart LR',
    ...components.map((component) => `  ${ids.get(component.urn)}["${label(component)}"]`),
    ...[...edges].toSorted(),
    '```',
    '',
    '| component | resources |',
    '| --- | --- |',
    ...components.map((component) => `| ${label(component)} | ${kinds(members.get(component.urn) ?? [])} |`),
    '',
  ].join('\n');
}
