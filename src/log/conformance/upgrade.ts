import assert from 'node:assert/strict'
import { Type } from 'typebox'
import { until } from '#harness/until'
import { invariant } from '#kernel/invariant'
import { decider, type EventOf, eventType, type Module, partitionOf } from '#log'
import { settled } from './checks.ts'
import type { Claim } from './engine.ts'
import { ANSWER, ask, writeDown } from './toy.ts'

const type = 'toy.asked'
const topic = 'toy.inbox'
const older = eventType({ type, topic, schema: Type.Object({ n: Type.Integer() }) })
const newer = eventType({
  type,
  topic,
  schema: Type.Object({ n: Type.Integer(), text: Type.String() }),
  upcasters: [({ n }: { n: number }) => ({ n, text: 'as of old' })],
})
/** The same version with one more field, which need not be there. */
const wider = eventType({
  type,
  topic,
  schema: Type.Object({ n: Type.Integer(), text: Type.Optional(Type.String()) }),
})
const elsewhere = eventType({ type: 'toy.said', topic: 'toy.news', schema: Type.Object({ n: Type.Integer() }) })

type Known = typeof older | typeof newer | typeof wider | typeof elsewhere

/** The toy as one version of the code has it; -1 is poison to every version. */
function version(...reads: readonly Known[]): Module {
  const answer = decider({
    name: 'answer',
    reads,
    publishes: [],
    handle: async (events: readonly EventOf<Known>[], { tx }) => {
      await writeDown(tx, ANSWER, events)
      for (const { data } of events) invariant(data.n !== -1, 'the toy chokes on it')
      return {}
    },
  })
  return { name: 'toy', summary: 'One version of several.', events: reads, deciders: [answer] }
}

const key = 'newer'
const sameKey = Array.from({ length: 100 }, (_, n) => `other ${n}`).find(
  (name) => partitionOf(name) === partitionOf(key),
)
const elsewhereKeys = Array.from({ length: 40 }, (_, n) => `key ${n}`).filter(
  (name) => partitionOf(name) !== partitionOf(key),
)

const olderReader: Claim = {
  name: 'an older reader stops the partition at a newer version, says so, parks nothing, and the others flow',
  async holds(t, engine) {
    const log = await engine.open(t)
    const old = await log.start('old', { modules: [version(older)] })
    await log.append([
      ask(key, { n: 0 }, older),
      ask(key, { n: 1, text: 'new' }, newer),
      ask(sameKey ?? key, { n: 2 }, older),
    ])
    await log.append(elsewhereKeys.map((name, n) => ask(name, { n }, older)))
    await until('the others have flowed', async () => (await log.seen(ANSWER)).length === elsewhereKeys.length + 1)
    await until('it has said so', () => old.reports.some(({ kind }) => kind === 'partition_stopped'))
    const stops = old.reports.filter(({ kind }) => kind === 'partition_stopped')
    assert.deepEqual(stops, [
      { kind: 'partition_stopped', group: ANSWER, partition: partitionOf(key), type, version: 2 },
    ])
    assert.deepEqual(await log.parked(), [])
    assert.equal(await log.lag(ANSWER), 2)

    await old.stop()
    await log.start('new', { modules: [version(newer)] })
    const seen = (await settled(log, ANSWER)).filter(({ partition }) => partition === partitionOf(key))
    assert.deepEqual(
      seen.map(({ data }) => data.n),
      [0, 1, 2],
    )
    assert.deepEqual(await log.parked(), [])
  },
}

/** More events than a batch holds stand behind the newer one, in front of all others, while poison is cornered. */
const poisonBesideAStop: Claim = {
  name: 'poison elsewhere is parked though a stopped partition stands first in line',
  async holds(t, engine) {
    const log = await engine.open(t)
    const first = await log.start('first', { modules: [version(older)] })
    await first.stop()
    await log.append(Array.from({ length: 700 }, (_, n) => ask(key, { n, text: '' }, newer)))
    const ill = elsewhereKeys.slice(0, 20).map((name) => ask(name, { n: -1 }, older))
    await log.append([...ill, ...elsewhereKeys.map((name, n) => ask(name, { n }, older))])
    await log.start('second', { modules: [version(older)] })
    await until('all poison is parked', async () => (await log.parked()).length === 40)
    assert.equal((await log.seen(ANSWER)).length, elsewhereKeys.length - 20)
  },
}

const bothWays: Claim = {
  name: 'data of an older version is lifted to the newer, and a field the reader does not know is ignored',
  async holds(t, engine) {
    const log = await engine.open(t)
    const first = await log.start('first', { modules: [version(older)] })
    await first.stop()
    await log.append([ask('old', { n: 1 }, older)])
    const lifting = await log.start('lifting', { modules: [version(newer)] })
    const [lifted] = await settled(log, ANSWER)
    assert.deepEqual(lifted?.data, { n: 1, text: 'as of old' })
    await lifting.stop()

    await log.append([ask('wide', { n: 2, text: 'unknown to the reader' }, wider)])
    await log.start('narrow', { modules: [version(older)] })
    const seen = await settled(log, ANSWER)
    assert.deepEqual(
      seen.map(({ data }) => data.n),
      [1, 2],
    )
    assert.deepEqual(await log.parked(), [])
  },
}

/** The newer version reads one topic more in the same group; the older must not pass it by on its behalf. */
const newTopic: Claim = {
  name: 'an older reader leaves alone a topic that only the newer version of its group reads',
  async holds(t, engine) {
    const log = await engine.open(t)
    const fresh = await log.start('fresh', { modules: [version(older, elsewhere)] })
    await fresh.stop()
    const old = await log.start('old', { modules: [version(older)] })
    await log.append([ask('news', { n: 1 }, elsewhere), ask('news', { n: 2 }, older)])
    await until('the old one works', async () => (await log.seen(ANSWER)).length === 1)
    assert.equal(await log.lag(ANSWER), 1)
    await old.stop()
    await log.start('fresh again', { modules: [version(older, elsewhere)] })
    const seen = await settled(log, ANSWER)
    assert.deepEqual(
      seen.map(({ data }) => data.n),
      [2, 1],
    )
  },
}

export const upgradeClaims: readonly Claim[] = [olderReader, poisonBesideAStop, bothWays, newTopic]
