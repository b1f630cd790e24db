import assert from 'node:assert/strict'
import { assertOrderPerKey, settled } from '../../src/log/conformance/checks.ts'
import type { LogUnderTest, ProcessUnderTest, Seen } from '../../src/log/conformance/engine.ts'
import { ANSWER, answered, ask, rang, toyModule, WATCH } from '../../src/log/conformance/toy.ts'
import type { FaultKind } from './faults.ts'
import { until } from './until.ts'

/**
 * No statement of a consumer, of parking, of a retry or of a timer may be the last that was run without something
 * being lost or done twice. One scenario with all of them is run over and over; each time the process dies, or its
 * connections break, `stride` statements later, until it comes through unharmed. After each, a fresh process finishes
 * what is left, and every effect must be there once. Returns how often the scenario was run.
 */
export async function killBetweenStatements(log: LogUnderTest, kind: FaultKind, stride: number): Promise<number> {
  for (let round = 1; ; round++)
    if (await runOnce(log, { name: `${kind} ${round}`, at: round * stride, kind })) return round
}

type Run = { readonly name: string; readonly at: number; readonly kind: FaultKind }

/** Whether it came through unharmed. */
async function runOnce(log: LogUnderTest, { name, at, kind }: Run): Promise<boolean> {
  let isMended = false
  const modules = [toyModule({ chokesOn: ({ say }) => say === 'poison' && !isMended })]
  const doomed = await log.start(name, { modules })
  const before = doomed.points()
  doomed.arm({ at, kind })
  await live(log, doomed, name, () => {
    isMended = true
  })
  const isUnharmed = !doomed.isDead() && doomed.points() - before < at
  // Its end has statements too: one that died in them would never have stopped.
  doomed.arm({ at: Number.POSITIVE_INFINITY, kind })
  await (doomed.isDead() ? doomed.kill() : doomed.stop())

  isMended = true
  const heir = await log.start(`heir of ${name}`, { modules })
  await log.retry(ANSWER, `ill ${name}`)
  await until('nothing is parked', async () => (await log.parked()).length === 0)
  await until('it rang', () => hasRung(log, name))
  await assertEffectsOnce(log, name)
  await heir.stop()
  return isUnharmed
}

/** Poison and its successor, an answer, an alarm, a retry: as far as the process gets. */
async function live(log: LogUnderTest, process: ProcessUnderTest, name: string, mend: () => void): Promise<void> {
  const [ill, well, bell] = [`ill ${name}`, `well ${name}`, `bell ${name}`]
  const first = ask(ill, { n: 0, say: 'poison' })
  const alarm = ask(bell, { n: 0, say: 'alarm', at: log.now() })
  await log.append([first, ask(ill, { n: 1 }), ask(well, { n: 0 }), alarm])
  const orDead = (what: string, isSo: () => Promise<boolean>) =>
    until(what, async () => process.isDead() || (await isSo()))
  await orDead('it is parked', async () => (await log.parked()).filter(({ key }) => key === ill).length === 2)
  mend()
  await log.retry(ANSWER, ill)
  await orDead('it is retried', async () => (await log.seen(ANSWER)).filter(({ key }) => key === ill).length === 2)
  await orDead('it rang', () => hasRung(log, name))
}

async function hasRung(log: LogUnderTest, name: string): Promise<boolean> {
  return (await log.seen(ANSWER)).some(({ key, type }) => key === `bell ${name}` && type === rang.type)
}

async function assertEffectsOnce(log: LogUnderTest, name: string): Promise<void> {
  const seen = (await settled(log, ANSWER)).filter(({ key }) => key.endsWith(` ${name}`))
  const story = (key: string): string[] => storyOf(seen, `${key} ${name}`)
  assert.deepEqual(story('ill'), ['toy.asked 0', 'toy.asked 1'], name)
  assert.deepEqual(story('well'), ['toy.asked 0'], name)
  assert.deepEqual(story('bell'), ['toy.asked 0', 'toy.rang 0'], name)
  assertOrderPerKey(seen)
  const watched = (await settled(log, WATCH)).filter(
    ({ type, key }) => type === answered.type && key.endsWith(` ${name}`),
  )
  assert.equal(watched.length, 4, 'one answer to each question')
}

const storyOf = (events: readonly Seen[], key: string): string[] =>
  events.filter((event) => event.key === key).map(({ type, data }) => `${type} ${data.n}`)
