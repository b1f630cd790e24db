import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decidedWithin, waitSecondsOf } from './wait.ts'

for (const [header, seconds] of [
  [undefined, 0],
  ['', 0],
  ['wait=10', 10],
  ['respond-async, wait=10', 10],
  ['WAIT = "5"; foo', 5],
  [['handling=lenient', 'wait=3'], 3],
  ['wait=0', 0],
  ['wait=31', 30],
  ['wait=999999999', 30],
  ['wait=-1', 0],
  ['wait=1.5', 0],
  ['wait=ten', 0],
  ['await=10', 0],
] as const) {
  test(`Prefer: ${JSON.stringify(header)} waits ${seconds} seconds`, () => {
    assert.equal(waitSecondsOf(typeof header === 'object' ? [...header] : header), seconds)
  })
}

test('what is still pending after the wait is not shown, and the wait is said to have been applied', async () => {
  for (const [status, isShown] of [
    ['pending', false],
    ['captured', true],
  ] as const) {
    const waited: number[] = []
    const said: string[] = []
    const reply = { header: (name: string, value: string) => said.push(`${name}: ${value}`) }
    const shown = await decidedWithin({ headers: { prefer: 'wait=7' } }, reply, {
      wait: async (seconds) => void waited.push(seconds),
      look: async () => ({ status }),
    })
    assert.deepEqual([shown !== undefined, waited, said], [isShown, [7], ['preference-applied: wait=7']])
  }
})

test('who does not prefer to wait, or where nobody can, is answered at once', async () => {
  const reply = { header: () => assert.fail('nothing was applied') }
  const look = async () => assert.fail('nobody looks')
  const unasked = { wait: () => assert.fail('nobody waits'), look }
  assert.equal(await decidedWithin({ headers: {} }, reply, unasked), undefined)
  const alone = { wait: () => undefined, look }
  assert.equal(await decidedWithin({ headers: { prefer: 'wait=5' } }, reply, alone), undefined)
})
