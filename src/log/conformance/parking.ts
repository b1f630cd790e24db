import assert from 'node:assert/strict'
import { until } from '#harness/until'
import { partitionOf } from '#log'
import { assertOnce, assertOrderPerKey, settled } from './checks.ts'
import type { Claim, LogUnderTest } from './engine.ts'
import { ANSWER, ask, toyModule } from './toy.ts'

/** A module that chokes on poison until it is mended, as by a deployment. */
function mendableToy() {
  let isMended = false
  return {
    modules: [toyModule({ chokesOn: ({ say }) => say === 'poison' && !isMended })],
    mend: () => {
      isMended = true
    },
  }
}

const parkedNumbers = async (log: LogUnderTest, key: string): Promise<number[]> =>
  (await log.parked()).filter((event) => event.key === key).map(({ n }) => n)

const seenNumbers = async (log: LogUnderTest, key: string): Promise<number[]> =>
  (await log.seen(ANSWER)).filter((event) => event.key === key).map(({ data }) => data.n)

const successors: Claim = {
  name: 'poison is parked with the later events of its key, in order, and all other keys flow',
  async holds(t, engine) {
    const log = await engine.open(t)
    const process = await log.start('one', mendableToy())
    const others = Array.from({ length: 200 }, (_, n) => ask(`key ${n % 20}`, { n }))
    const ill = [0, 1, 2, 3, 4].map((n) => ask('ill', { n, ...(n === 1 ? { say: 'poison' } : {}) }))
    await log.append([...others.slice(0, 100), ...ill.slice(0, 3), ...others.slice(100)])
    await log.append(ill.slice(3))
    const seen = await settled(log, ANSWER)
    assertOnce(
      seen,
      [...others, ...ill.slice(0, 1)].map(({ id }) => id),
    )
    assertOrderPerKey(seen)
    assert.deepEqual(await parkedNumbers(log, 'ill'), [1, 2, 3, 4])
    assert.deepEqual(
      process.reports.filter(({ kind }) => kind === 'parked'),
      [{ kind: 'parked', group: ANSWER, key: 'ill', error: 'InvariantViolation: the toy chokes on it' }],
    )
  },
}

/**
 * What follows a parked key lies between two poisons of one partition. The batch that meets the second poison rolls
 * back, the parking of what lay before it included: that must not be lost.
 */
const twoPoisons: Claim = {
  name: 'a second poison in the batch does not lose the events of a key parked before',
  async holds(t, engine) {
    const log = await engine.open(t)
    const toy = mendableToy()
    const process = await log.start('one', toy)
    await log.append([ask('ill', { n: 0, say: 'poison' })])
    await until('the first is parked', async () => (await log.parked()).length === 1)
    await process.stop()
    const second = samePartitionKey('ill')
    await log.append([ask('ill', { n: 1 }), ask('ill', { n: 2 }), ask(second, { n: 0, say: 'poison' })])
    await log.start('two', toy)
    await settled(log, ANSWER)
    assert.deepEqual(await parkedNumbers(log, 'ill'), [0, 1, 2])
    assert.deepEqual(await parkedNumbers(log, second), [0])
  },
}

const restarts: Claim = {
  name: 'a parked key stays parked across restarts, and after a retry flows again in order',
  async holds(t, engine) {
    const log = await engine.open(t)
    const toy = mendableToy()
    const first = await log.start('first', toy)
    await log.append([ask('ill', { n: 0, say: 'poison' }), ask('ill', { n: 1 })])
    await settled(log, ANSWER)
    await first.stop()
    await log.append([ask('ill', { n: 2 })])
    await log.start('second', toy)
    await settled(log, ANSWER)
    assert.deepEqual(await parkedNumbers(log, 'ill'), [0, 1, 2])
    toy.mend()
    await log.retry(ANSWER, 'ill')
    await until('nothing is parked', async () => (await log.parked()).length === 0)
    await log.append([ask('ill', { n: 3 })])
    await settled(log, ANSWER)
    assert.deepEqual(await seenNumbers(log, 'ill'), [0, 1, 2, 3])
  },
}

const failedRetry: Claim = {
  name: 'a retry that fails leaves everything parked as it was, and waits to be asked anew',
  async holds(t, engine) {
    const log = await engine.open(t)
    const toy = mendableToy()
    await log.start('one', toy)
    const ill = [0, 1, 2].map((n) => ask('ill', { n, ...(n === 1 ? { say: 'poison' } : {}) }))
    await log.append(ill)
    await settled(log, ANSWER)
    await log.retry(ANSWER, 'ill')
    await until('the retry is over', async () => (await log.retriesOpen()) === 0)
    assert.deepEqual(await parkedNumbers(log, 'ill'), [1, 2])
    toy.mend()
    await log.retry(ANSWER, 'ill')
    await until('nothing is parked', async () => (await log.parked()).length === 0)
    assert.deepEqual(await seenNumbers(log, 'ill'), [0, 1, 2])
  },
}

/** The key is retried over and over while more of it arrives and its partition changes hands. */
const racingRetry: Claim = {
  name: 'a retry that races new events of its key, with two processes, keeps the order and loses nothing',
  async holds(t, engine) {
    const log = await engine.open(t)
    const toy = mendableToy()
    const processes = [await log.start('first', toy), await log.start('second', toy)]
    await log.append([ask('ill', { n: 0, say: 'poison' })])
    await until('it is parked', async () => (await log.parked()).length === 1)
    toy.mend()
    let appended = 1
    let isOpen = true
    const load = (async () => {
      while (isOpen) await log.append([ask('ill', { n: appended++ }), ask(`key ${appended % 20}`, { n: appended })])
    })()
    for (let turn = 0; turn < 6; turn++) {
      await log.retry(ANSWER, 'ill')
      await processes.shift()?.kill()
      processes.push(await log.start(`heir ${turn}`, toy))
    }
    await until('nothing is parked', async () => (await log.parked()).length === 0)
    isOpen = false
    await load
    await settled(log, ANSWER)
    await until('nothing is parked', async () => (await log.parked()).length === 0)
    assert.deepEqual(
      await seenNumbers(log, 'ill'),
      Array.from({ length: appended }, (_, n) => n),
    )
  },
}

export const parkingClaims: readonly Claim[] = [successors, twoPoisons, restarts, failedRetry, racingRetry]

function samePartitionKey(key: string): string {
  const names = Array.from({ length: 1_000 }, (_, index) => `other ${index}`)
  return names.find((name) => partitionOf(name) === partitionOf(key)) ?? key
}
