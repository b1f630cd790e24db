import { type Answer, type Asked, type Condition, type EntryBody, isUnknown } from '../call.ts'
import { type Chance, chanceOf } from '../chance.ts'
import type { Platforms } from '../platform.ts'
import { send } from '../send.ts'
import { openAccount } from '../world.ts'
import type { Operation } from './operation.ts'

export type HistoryLoad = { readonly seed: string; readonly operations: number }

/** Clients of a group work on the same few objects, until those are full and they take new ones. */
const GROUPS = 4
const CLIENTS = 6
const OBJECTS = 3
/** An amount may not pass 2^53. */
const ADDS_AN_OBJECT = 48
const LAST_READS = 4

/** Objects of one group and time, and how often each was added to; `isLeft` once there are new ones. */
type Stage = { readonly objects: readonly string[]; readonly counts: Map<string, number>; isLeft: boolean }

/** Has clients read and add, alone and on conditions, and keeps a record of all that they asked for and were told. */
export async function recordHistory(platforms: Platforms, { seed, operations }: HistoryLoad): Promise<Operation[]> {
  const recorder = createRecorder(platforms)
  const objects: string[] = []
  let left = operations

  const newStage = async (group: number, generation: number): Promise<Stage> => {
    const names = Array.from({ length: OBJECTS }, (_, n) => `g${group}:${generation}:${n}`)
    for (const name of names) await recorder.open(name)
    objects.push(...names)
    return { objects: names, counts: new Map(), isLeft: false }
  }
  const live = async (client: string, url: string, chance: Chance, stageNow: () => Promise<Stage>): Promise<void> => {
    for (; left > 0; left--) {
      const stage = await stageNow()
      const known = chance.of(stage.objects)
      const other = chance.of(stage.objects)
      const what = chance.below(10)
      const read = await recorder.read(client, url, known)
      if (what < 3) continue
      const both = what < 9 ? [other] : [known, other]
      const adds = what < 6 || other === known ? [known] : both
      await recorder.add(client, url, { stage, adds, conditions: what === 3 ? [] : [exactly(known, read)] })
    }
  }
  await recorder.begin()
  const groups = Array.from({ length: GROUPS }, (_, group) => {
    let generation = 0
    let stage = newStage(group, 0)
    return async (): Promise<Stage> => {
      const now = await stage
      const isFull = [...now.counts.values()].some((count) => count >= ADDS_AN_OBJECT - 2 * CLIENTS)
      if (isFull && !now.isLeft) {
        now.isLeft = true
        stage = newStage(group, ++generation)
      }
      return stage
    }
  })
  await Promise.all(
    groups.flatMap((stageNow, group) =>
      Array.from({ length: CLIENTS }, (_, n) => {
        const client = `g${group}c${n}`
        return live(client, platforms.urls[n % platforms.urls.length] ?? '', chanceOf(seed, client), stageNow)
      }),
    ),
  )
  // More than once: what is merely stale is seen in the end, and what is lost is not.
  for (const object of objects) {
    for (let again = 0; again < LAST_READS; again++) await recorder.read('last', platforms.urls[0] ?? '', object)
  }
  return recorder.operations
}

function exactly(account: string, value: bigint): Condition {
  return { account, currency: 'EUR', at_least: Number(value), at_most: Number(value) }
}

type Adding = { readonly stage: Stage; readonly adds: readonly string[]; readonly conditions: readonly Condition[] }

function createRecorder(platforms: Platforms) {
  const operations: Operation[] = []
  let instant = 0
  let count = 0

  const ask = async (
    url: string,
    asked: Asked,
  ): Promise<{ answer: Answer | undefined; askedAt: number; answeredAt: number }> => {
    const askedAt = ++instant
    const traceId = (++count).toString(16).padStart(32, '0')
    const [answer] = await send(platforms, url, asked, traceId)
    return { answer, askedAt, answeredAt: ++instant }
  }
  const recorder = {
    operations,
    begin: () => openAccount(platforms, { id: 'source', type: 'asset' }),
    open: (id: string) => openAccount(platforms, { id, type: 'liability', currency: 'EUR', guarded: true }),

    async read(client: string, url: string, object: string): Promise<bigint> {
      const name = `${client}-${++count}`
      const { answer, ...times } = await ask(url, { commands: [{ kind: 'look', account: object }] })
      if (answer && isUnknown(answer)) return recorder.read(client, url, object)
      if (!answer || !('lines' in answer)) throw new Error(`${object} cannot be read: ${JSON.stringify(answer)}`)
      const value = BigInt(answer.lines[0]?.amount ?? 0)
      operations.push({ name, ...times, reads: [{ object, value }], adds: [], outcome: 'done' })
      return value
    },

    async add(client: string, url: string, { stage: { counts }, adds: objects, conditions }: Adding): Promise<void> {
      const adds = objects.map((object) => {
        const place = counts.get(object) ?? 0
        counts.set(object, place + 1)
        return { object, amount: 1n << BigInt(place) }
      })
      const id = `${client}-${++count}`
      const body: EntryBody = {
        id,
        conditions: [...conditions],
        transfers: adds.map(({ object, amount }) => ({
          debit: 'source',
          credit: object,
          amount: Number(amount),
          currency: 'EUR',
        })),
      }
      const { answer, ...times } = await ask(url, { commands: [{ kind: 'entry', body }] })
      operations.push({ name: id, ...times, adds, ...toldBy(answer, conditions) })
    },
  }
  return recorder
}

/** A condition that held was what was read; one that did not says what was there instead. */
function toldBy(answer: Answer | undefined, conditions: readonly Condition[]): Pick<Operation, 'reads' | 'outcome'> {
  if (answer?.code === 'done') {
    const reads = conditions.map(({ account, at_least = 0 }) => ({ object: account, value: BigInt(at_least) }))
    return { reads, outcome: 'done' }
  }
  if (!answer || !('members' in answer) || answer.code !== 'condition_failed') return { reads: [], outcome: 'unknown' }
  const { account = '', available = '0' } = answer.members
  return { reads: [{ object: account, value: BigInt(available) }], outcome: 'refused' }
}
