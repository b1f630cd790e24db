import type { LeaseBook } from './lease.ts'
import type { EventRow, Progress } from './sql.ts'

/** Events of one partition of a topic: what a backlog of some seconds holds. */
const EVENTS_MAX = 1_024
/** JSON of all that is held; as objects it takes some three times as much. */
const BYTES_MAX = 16 * 1024 * 1024

/** An event that is committed, as its readers see it: they share it, and change nothing in it. */
export type TailEvent = { readonly row: EventRow; readonly position: bigint; readonly bytes: number }

/** Events at consecutive offsets, from `first` to before `end`. What comes after `end` may be added to the same array. */
export type Stretch = {
  readonly topic: string
  readonly partition: number
  readonly first: bigint
  readonly end: bigint
  readonly events: readonly TailEvent[]
}

/**
 * The last events of the log, in the memory of the process that appended or read them, until its groups have read them
 * all. It saves PostgreSQL and the readers work, and decides nothing: which offset comes next, and whether a group may
 * have it, is still looked up under the checkpoint's lock.
 */
export type Tail = {
  /** Nothing is kept before, nor what no group of these reads. */
  serve(readers: readonly { readonly group: string; readonly topics: readonly string[] }[], leases: LeaseBook): void
  /** Whether more than one group may ask for events of the topic. */
  isShared(topic: string): boolean
  /** Only what is committed. */
  add(events: readonly TailEvent[]): void
  stretches(topics: readonly string[], partitions: readonly number[]): Stretch[]
  /** A group has committed how far it is. What all have passed is forgotten. */
  passed(group: string, progress: readonly Progress[]): void
}

type Piece = { first: bigint; events: TailEvent[] }
/** Apart from each other, in order. There is one, but where somebody else appended in between. */
type Partition = { pieces: Piece[]; floor: bigint; readonly passed: Map<string, bigint> }

export function createTail({ eventsMax = EVENTS_MAX, bytesMax = BYTES_MAX } = {}): Tail {
  const topics = new Map<string, { readonly groups: string[]; readonly partitions: Map<number, Partition> }>()
  let leases: LeaseBook = { of: () => new Map() }
  let bytes = 0

  const partitionOf = (topic: string, partition: number): Partition | undefined => {
    const partitions = topics.get(topic)?.partitions
    const known = partitions?.get(partition)
    if (known || !partitions) return known
    const made: Partition = { pieces: [], floor: 0n, passed: new Map() }
    partitions.set(partition, made)
    return made
  }

  /** Readers that are about to read the events keep the array that they were given: what is forgotten leaves it whole. */
  const forget = (partition: Partition, before: bigint): void => {
    while (partition.pieces[0] && partition.pieces[0].first < before) {
      const [piece] = partition.pieces
      const count = Number(min(before, endOf(piece)) - piece.first)
      for (let place = 0; place < count; place++) bytes -= piece.events[place]?.bytes ?? 0
      if (count === piece.events.length) partition.pieces.shift()
      else partition.pieces[0] = { first: piece.first + BigInt(count), events: piece.events.slice(count) }
    }
  }

  const keepWithin = (partition: Partition): void => {
    const last = partition.pieces.at(-1)
    if (!last) return
    forget(partition, endOf(last) - BigInt(eventsMax))
    if (bytes > bytesMax) forget(partition, endOf(last))
  }

  const isLeased = (group: string, partition: number): boolean => leases.of(group).has(partition)

  return {
    serve(readers, book) {
      leases = book
      topics.clear()
      bytes = 0
      for (const { group, topics: read } of readers) {
        for (const topic of read) {
          const known = topics.get(topic)
          if (known) known.groups.push(group)
          else topics.set(topic, { groups: [group], partitions: new Map() })
        }
      }
    },
    isShared: (topic) => (topics.get(topic)?.groups.length ?? 0) > 1,
    add(events) {
      const grown = new Set<Partition>()
      for (const event of events) {
        const partition = partitionOf(event.row.topic, event.row.partition)
        if (!partition || !put(partition, event)) continue
        bytes += event.bytes
        grown.add(partition)
      }
      for (const partition of grown) keepWithin(partition)
    },
    stretches(names, numbers) {
      const found: Stretch[] = []
      for (const topic of names) {
        const partitions = topics.get(topic)?.partitions
        if (!partitions) continue
        for (const partition of numbers) {
          for (const piece of partitions.get(partition)?.pieces ?? []) {
            found.push({ topic, partition, first: piece.first, end: endOf(piece), events: piece.events })
          }
        }
      }
      return found
    },
    passed(group, progress) {
      for (const { topic, partition: number, nextOffset } of progress) {
        const partition = partitionOf(topic, number)
        if (!partition) continue
        partition.passed.set(group, nextOffset)
        const others = topics.get(topic)?.groups.filter((other) => isLeased(other, number)) ?? []
        partition.floor = others.reduce((floor, other) => min(floor, partition.passed.get(other) ?? floor), nextOffset)
        forget(partition, partition.floor)
      }
    },
  }
}

/** Whether it was missing: two of a partition may come in another order than they were appended in, or from two sides. */
function put({ pieces, floor }: Partition, event: TailEvent): boolean {
  const { offset } = event.row
  if (offset < floor) return false
  const after = pieces.findLastIndex(({ first }) => first <= offset)
  const before = pieces[after]
  const next = pieces[after + 1]
  if (before && offset < endOf(before)) return false
  const follows = before !== undefined && offset === endOf(before)
  if (follows) before.events.push(event)
  const grown = follows ? before : { first: offset, events: [event] }
  const isJoined = next !== undefined && next.first === offset + 1n
  if (isJoined) grown.events.push(...next.events)
  if (!follows) pieces.splice(after + 1, isJoined ? 1 : 0, grown)
  else if (isJoined) pieces.splice(after + 1, 1)
  return true
}

function endOf({ first, events }: Piece): bigint {
  return first + BigInt(events.length)
}

function min(one: bigint, other: bigint): bigint {
  return one < other ? one : other
}
