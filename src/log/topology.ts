import type { EventType } from './event.ts'
import { groupOf, type Module } from './module.ts'
import { topicsOf } from './runtime.ts'

/** Who publishes and who reads, drawn from the modules' declarations as a Mermaid flowchart. */
export function topologyOf(modules: readonly Module[]): string {
  return [
    'flowchart LR',
    '  door([door])',
    ...modules.flatMap(nodesOf),
    ...[...new Set([...topicsOf(modules).flatMap((topic) => arrowsOf(topic, modules)), ...deliveriesOf(modules)])],
    '',
  ].join('\n')
}

function nodesOf(module: Module): string[] {
  const { name, deciders = [], projections = [], destinations = [] } = module
  const consumers = [
    ...deciders.map((made) => `    ${idOf(groupOf(name, made.name))}["${made.name}"]`),
    ...projections.map((made) => `    ${idOf(groupOf(name, made.name))}[("${made.name}")]`),
  ]
  const outside = destinations.map((destination) => `  ${idOf(destination)}{{"${destination}"}}`)
  if (consumers.length === 0) return outside
  return [`  subgraph ${name}`, ...consumers, '  end', ...outside]
}

function arrowsOf(topic: string, modules: readonly Module[]): string[] {
  const readers = modules.flatMap(({ name, deciders = [], projections = [] }) =>
    [...deciders, ...projections]
      .filter(({ reads }) => reads.some((of) => of.topic === topic))
      .map((consumer) => idOf(groupOf(name, consumer.name))),
  )
  const from = modules.flatMap((module) => publishersOf(topic, module))
  return from.flatMap((publisher) => readers.map((reader) => `  ${publisher} -->|${topic}| ${reader}`))
}

/**
 * Deciders say what they publish and inboxes what they accept. What a module owns and neither explains comes
 * back from its destinations, or, where it has none, from a timer.
 */
function publishersOf(
  topic: string,
  { name, events, accepts = [], deciders = [], destinations = [] }: Module,
): string[] {
  const isHere = (of: EventType): boolean => of.topic === topic
  const published = new Set([...accepts, ...deciders.flatMap(({ publishes }) => publishes)])
  const unexplained = events.some((of) => isHere(of) && !published.has(of))
  const outside = destinations.length > 0 ? destinations.map(idOf) : deciders.length > 0 ? ['timers([timers])'] : []
  return [
    ...(accepts.some(isHere) ? ['door'] : []),
    ...deciders.filter(({ publishes }) => publishes.some(isHere)).map((made) => idOf(groupOf(name, made.name))),
    ...(unexplained ? outside : []),
  ]
}

function deliveriesOf(modules: readonly Module[]): string[] {
  const destinations = modules.flatMap(({ destinations: named = [] }) => named)
  return destinations.map((destination) => `  deliveries([deliveries]) -->|calls| ${idOf(destination)}`)
}

/** Mermaid takes no dots, colons or dashes in an id; an underscore keeps apart what they keep apart well enough. */
function idOf(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, '_')
}
