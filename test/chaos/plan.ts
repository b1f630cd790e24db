import { type Random, seededRandom } from '#kernel/random'
import type { Condition } from './wire.ts'

export type Hop = 'clients' | 'database' | 'gateway' | 'receivers'

/** What goes wrong; `process` is which of them. Durations in milliseconds. */
export type Fault =
  | { readonly kind: 'process killed'; readonly process: number; readonly downMs: number }
  | { readonly kind: 'process stopped'; readonly process: number; readonly forMs: number }
  | { readonly kind: 'process restarted'; readonly process: number }
  | { readonly kind: 'PostgreSQL killed'; readonly downMs: number }
  | { readonly kind: 'PostgreSQL stopped'; readonly forMs: number }
  | { readonly kind: 'slow disk'; readonly flushDelayUs: number; readonly forMs: number }
  | { readonly kind: 'disk full'; readonly process: number; readonly forMs: number }
  | { readonly kind: 'clock stepped'; readonly process: number; readonly byMs: number; readonly forMs: number }
  | { readonly kind: 'gateway stopped'; readonly forMs: number }
  | { readonly kind: 'receivers down'; readonly forMs: number }
  | { readonly kind: NetworkFault; readonly hop: Hop; readonly process: number; readonly forMs: number }

export type NetworkFault = 'network cut' | 'network stalled' | 'answers lost' | 'network slow'
export type FaultKind = Fault['kind']

export type Planned = { readonly atMs: number; readonly fault: Fault }

export const conditions: Readonly<Record<NetworkFault, Condition>> = {
  'network cut': { kind: 'cut' },
  'network stalled': { kind: 'stalled' },
  'answers lost': { kind: 'deaf' },
  'network slow': { kind: 'slow', delayMs: 150 },
}

const hops: readonly Hop[] = ['clients', 'database', 'gateway', 'receivers']
const networkFaults = Object.keys(conditions) as readonly NetworkFault[]

/** Until load flows, and after the last fault: a fault must find work, and have time to do harm. */
const LEAD_MS = 5_000
const TAIL_MS = 8_000

type Draw = (random: Random, process: number) => Fault

/** Every kind, and how often: those that cost most to survive come more often than the others. */
const deck: readonly { readonly share: number; readonly draw: Draw }[] = [
  { share: 4, draw: killProcess },
  { share: 2, draw: (random, process) => ({ kind: 'process stopped', process, forMs: between(random, 500, 8_000) }) },
  { share: 2, draw: (_, process) => ({ kind: 'process restarted', process }) },
  { share: 3, draw: killServer },
  { share: 1, draw: (random) => ({ kind: 'PostgreSQL stopped', forMs: between(random, 500, 4_000) }) },
  { share: 1, draw: (random) => ({ kind: 'slow disk', flushDelayUs: 60_000, forMs: between(random, 2_000, 5_000) }) },
  { share: 1, draw: (random, process) => ({ kind: 'disk full', process, forMs: between(random, 2_000, 5_000) }) },
  { share: 1, draw: stepClock },
  { share: 1, draw: (random) => ({ kind: 'gateway stopped', forMs: between(random, 1_000, 12_000) }) },
  { share: 1, draw: (random) => ({ kind: 'receivers down', forMs: between(random, 500, 5_000) }) },
  ...hops.map((hop) => ({
    share: 1,
    draw: (random: Random, process: number): Fault => {
      return { kind: pick(random, networkFaults), hop, process, forMs: between(random, 500, 5_000) }
    },
  })),
]

function killProcess(random: Random, process: number): Fault {
  return { kind: 'process killed', process, downMs: between(random, 0, 2_000) }
}

function killServer(random: Random): Fault {
  return { kind: 'PostgreSQL killed', downMs: between(random, 0, 5_000) }
}

function stepClock(random: Random, process: number): Fault {
  const byMs = (random.unit() < 0.5 ? -1 : 1) * pick(random, [1_000, 45_000, 200_000, 3_600_000])
  return { kind: 'clock stepped', process, byMs, forMs: between(random, 2_000, 6_000) }
}

export type PlanOptions = {
  readonly seed: number
  readonly minutes: number
  readonly faults: number
  readonly processes: number
}

/** When what goes wrong: a pure function of the seed. First comes every kind once, then each by its share. */
export function planOf(about: PlanOptions): Planned[] {
  const once = deck.map(({ draw }) => draw)
  const byShare = deck.flatMap(({ share, draw }) => Array<Draw>(share).fill(draw))
  return dealt(about, once, byShare)
}

/** Nothing but deaths of processes and of the database: what a planted bug is found by soonest. */
export function planOfDeaths(about: PlanOptions): Planned[] {
  const deaths: readonly Draw[] = [killProcess, killServer]
  return dealt(about, deaths, deaths)
}

function dealt({ seed, minutes, faults, processes }: PlanOptions, first: readonly Draw[], then: readonly Draw[]) {
  const random = seededRandom(BigInt(seed) * 31n + 17n)
  const gapMs = Math.max(0, minutes * 60_000 - LEAD_MS - TAIL_MS) / Math.max(1, faults)
  let cards = shuffled(random, first)
  return Array.from({ length: faults }, (_, place): Planned => {
    if (cards.length === 0) cards = shuffled(random, then)
    const draw = cards.pop() ?? killProcess
    const atMs = Math.round(LEAD_MS + (place + random.unit() * 0.8) * gapMs)
    return { atMs, fault: draw(random, Math.floor(random.unit() * processes)) }
  })
}

/** Small values more often than large ones. */
function between(random: Random, min: number, max: number): number {
  return Math.round(min + (max - min) * random.unit() ** 1.5)
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[Math.floor(random.unit() * items.length)]
  if (item === undefined) throw new Error('there is something to pick from')
  return item
}

function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, place: random.unit() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ item }) => item)
}
