import assert from 'node:assert/strict'
import { test } from 'node:test'
import { heardSection } from './check-webhooks.ts'
import { heal } from './endpoint.ts'
import { isRight } from './findings.ts'
import type { EventsOf } from './sql.ts'
import { openTally, type Tally } from './tally.ts'

const log = [
  { key: 'pay_a', ids: ['evt_1', 'evt_3'] },
  { key: 'pay_b', ids: ['evt_2'] },
]
const bodies = new Map([
  [1, message('evt_1', 'pay_a')],
  [2, message('evt_2', 'pay_b')],
  [3, message('evt_3', 'pay_a')],
])

test('different payments may overtake each other', () => {
  assert.ok(isFound(tallyOf(2, 1, 3)))
})

test('a message that is missing, out of order, changed or forged is not right', () => {
  assert.ok(!isFound(tallyOf(1, 2)))
  assert.ok(!isFound(tallyOf(3, 2, 1)))
  const changed = tallyOf(1, 2, 3)
  changed.accepted(2, message('evt_9', 'pay_b'))
  assert.ok(!isFound(changed))
  const forged = tallyOf(1, 2, 3)
  forged.forged()
  assert.ok(!isFound(forged))
})

test('what was given up is pulled, and nothing that was accepted is pulled again', async () => {
  const tally = tallyOf(1, 2)
  const healed = await heal({ url: 'http://platform', apiKey: 'key', fetch: platform }, tally, 'we_1', 1000)
  assert.equal(healed.pulled, 1)
  assert.equal(tally.counts().repeated, 0)
  const section = heardSection(healed, log, abandoned(1n))
  assert.ok(isRight([section]))
  assert.ok(!isRight([heardSection(healed, log, abandoned(0n))]))
})

/** Answers as the platform does, of a stream of three messages. */
async function platform({ url }: { url: string }) {
  const after = Number(new URL(url).searchParams.get('after') ?? '-1')
  const data = [...bodies]
    .filter(([sequence]) => sequence > after)
    .map(([sequence, body]) => ({ sequence, payload: JSON.parse(body) }))
  const answer = after === -1 ? { id: 'we_1', last_sequence: 3 } : { data, has_more: false, next_after: 3 }
  return { status: 200, headers: {}, body: JSON.stringify(answer) }
}

function isFound(tally: Tally): boolean {
  return isRight([heardSection({ tally, pulled: 0, lastSequence: 3, awayMs: 1000 }, log, abandoned(0n))])
}

function abandoned(events: bigint): EventsOf {
  return () => ({ events, different: events })
}

function tallyOf(...sequences: number[]): Tally {
  const tally = openTally()
  for (const sequence of sequences) tally.accepted(sequence, bodies.get(sequence) ?? '')
  return tally
}

function message(id: string, subject: string): string {
  return JSON.stringify({ id, subject })
}
