import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import Stripe from 'stripe'
import { sign, verifySignature } from './signature.ts'

const secret = 'whsec_one'
const nowMs = 1_760_000_000_000
const at = nowMs / 1000
const body = Buffer.from('{"id":"evt_1","note":"größer \u{1F600}"}')

const verify = (about: { body?: Buffer; header?: string | undefined; secrets?: string[]; nowMs?: number }) =>
  verifySignature({ body, header: sign(body, secret, at), secrets: [secret], nowMs, ...about })

test("the official library's header is accepted", () => {
  const header = Stripe.webhooks.generateTestHeaderString({ payload: body.toString(), secret, timestamp: at })
  assert.equal(verify({ header }), 'valid')
})

test('the official library accepts our header', () => {
  const header = sign(body, secret, Math.floor(Date.now() / 1000))
  assert.equal(Stripe.webhooks.constructEvent(body, header, secret).id, 'evt_1')
})

test('a body changed in one byte does not match', () => {
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.integer({ min: 1, max: 255 }), (index, flip) => {
      const tampered = Buffer.from(body)
      tampered.writeUInt8(tampered.readUInt8(index) ^ flip, index)
      assert.equal(verify({ body: tampered }), 'mismatch')
    }),
  )
})

test('a body that is the same JSON in other bytes does not match', () => {
  assert.equal(verify({ body: Buffer.from(JSON.stringify(JSON.parse(body.toString()), null, 1)) }), 'mismatch')
})

test('another time than the signed one does not match', () => {
  assert.equal(verify({ header: sign(body, secret, at).replace(`t=${at}`, `t=${at + 1}`) }), 'mismatch')
})

test('while secrets rotate, either the old or the new one is enough', () => {
  assert.equal(verify({ secrets: ['whsec_two', secret] }), 'valid')
  assert.equal(verify({ secrets: ['whsec_two'] }), 'mismatch')
  assert.equal(verify({ secrets: [] }), 'mismatch')
})

test('one right signature among several is enough', () => {
  const right = sign(body, secret, at).split('v1=')[1]
  assert.equal(verify({ header: `t=${at},v1=${'0'.repeat(64)},v1=short,v0=abc,v1=${right}` }), 'valid')
})

test('nobody signs with an empty secret', () => {
  assert.equal(verify({ header: sign(body, '', at), secrets: [''] }), 'mismatch')
})

test('five minutes either way are tolerated, a second more is stale', () => {
  for (const [seconds, outcome] of [
    [300, 'valid'],
    [301, 'stale'],
    [-300, 'valid'],
    [-301, 'stale'],
  ] as const) {
    assert.equal(verify({ nowMs: nowMs + seconds * 1000 }), outcome, `${seconds} s`)
  }
})

test('a stale time is only said of what we signed', () => {
  assert.equal(verify({ nowMs: nowMs + 10_000_000, secrets: ['whsec_two'] }), 'mismatch')
})

const header = sign(body, secret, at)
for (const [name, value] of [
  ['missing', undefined],
  ['empty', ''],
  ['only a time', `t=${at}`],
  ['only a signature', `v1=${'a'.repeat(64)}`],
  ['two times', `t=${at},${header}`],
  ['a time that is no number', header.replace(`t=${at}`, 't=soon')],
  ['another scheme', header.replace('v1=', 'v0=')],
  ['too long', `${header},${'x'.repeat(5000)}`],
  ['more signatures than anybody needs', `t=${at}${`,v1=${'a'.repeat(64)}`.repeat(17)}`],
] as const) {
  test(`a header that is malformed is refused: ${name}`, () => assert.equal(verify({ header: value }), 'malformed'))
}

test('no header makes it throw or pass', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.string().map((text) => `t=${at},v1=${text}`),
      ),
      (garbage) => {
        assert.notEqual(verify({ header: garbage }), 'valid')
      },
    ),
  )
})
