import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { UsageError } from '#kernel/errors'
import { masterKeyOf } from '#kernel/master-key'
import { systemRandom } from '#kernel/random'
import { encrypt } from '#kernel/seal-cipher'
import { createRowBoxes, type Spooled } from './row-box.ts'

const masterKey = masterKeyOf(Buffer.alloc(32, 7))
const boxes = createRowBoxes(masterKey, systemRandom)

const plain = { noNullPrototype: true } as const
const event = fc.record(
  {
    topic: fc.string(),
    partition: fc.nat(7),
    key: fc.string(),
    type: fc.string(),
    bytes: fc.nat(),
    json: fc.json(),
    attachment: fc.option(fc.uint8Array().map((bytes) => Buffer.from(bytes))),
  },
  plain,
)
const row = fc.record(
  {
    key_id: fc.string(),
    tenant: fc.string(),
    subject: fc.string(),
    salt: fc.string(),
    created_ms: fc.nat(),
  },
  plain,
)
const spooled: fc.Arbitrary<Spooled> = fc.record(
  {
    at: fc.nat(),
    prepared: fc.record(
      {
        events: fc.array(event),
        keys: fc.array(row).map((rows) => rows.map((one) => ({ row: one }))),
      },
      plain,
    ),
  },
  plain,
)

test('what is sealed opens as it was, in its own file and place and nowhere else', () => {
  fc.assert(
    fc.property(spooled, fc.nat(), (given, sequence) => {
      const sealed = boxes.seal(given, { file: 'a', sequence })
      assert.deepEqual(boxes.open(sealed, 'a'), given)
      assert.equal(boxes.open(sealed, 'b'), undefined)
      assert.equal(boxes.open({ ...sealed, sequence: sequence + 1 }, 'a'), undefined)
    }),
    { numRuns: 50 },
  )
})

test('a row that a newer version wrote is left to it, and said so', () => {
  const text = JSON.stringify({ format: 2, what: 'nobody here knows' })
  const box = encrypt(masterKey.derive('spool'), systemRandom, text, 'spool/a/1')
  assert.throws(() => boxes.open({ sequence: 1, box }, 'a'), UsageError)
})
