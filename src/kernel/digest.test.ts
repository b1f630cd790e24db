import assert from 'node:assert/strict'
import { createHmac, hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { base32, createDigest } from './digest.ts'
import { masterKeyOf } from './master-key.ts'
import { seededRandom } from './random.ts'

const master = Buffer.alloc(32, 7)
const digest = createDigest(masterKeyOf(master))
const parts = fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 })

test('a digest is 26 characters that no two look alike, and never changes', () => {
  assert.match(digest('payment', 'ten_1', 'key'), /^[0-9a-hjkmnp-tv-z]{26}$/)
  // Ids made with an earlier release stay valid only while this very text comes out.
  assert.equal(digest('payment', 'ten_1', 'key'), expectedDigest())
})

test('different parts, or the same text cut differently, give different digests', () => {
  fc.assert(
    fc.property(parts, parts, (a, b) => {
      assert.equal(digest('p', ...a) === digest('p', ...b), JSON.stringify(a) === JSON.stringify(b))
    }),
  )
  assert.notEqual(digest('p', 'ab', 'c'), digest('p', 'a', 'bc'))
  assert.notEqual(digest('p', 'a'), digest('p', 'a', ''))
  assert.notEqual(digest('p', '1:a'), digest('p', 'a'))
  assert.notEqual(digest('p', '\ud800'), digest('p', '\udfff'))
})

test('digests of two purposes or two master keys have nothing in common', () => {
  const other = createDigest(masterKeyOf(Buffer.alloc(32, 8)))
  assert.notEqual(digest('a', 'x'), digest('b', 'x'))
  assert.notEqual(digest('a', 'x'), other('a', 'x'))
})

test('base32 carries every one of the first 130 bits and nothing behind them', () => {
  const random = seededRandom(1)
  for (let round = 0; round < 200; round += 1) {
    const bytes = random.bytes(17)
    const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
    assert.equal(
      base32(bytes),
      (bits.slice(0, 130).match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join(''),
    )
  }
})

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** The same by the book: HKDF, HMAC, and the number written in base 32. */
function expectedDigest(): string {
  const key = Buffer.from(hkdfSync('sha256', master, '', 'millrace/digest/payment', 32))
  const mac = createHmac('sha256', key).update(Buffer.from('5:ten_13:key', 'utf16le')).digest('hex')
  let number = BigInt(`0x${mac}`) >> 126n
  let text = ''
  for (let digit = 0; digit < 26; digit += 1) {
    text = `${alphabet[Number(number % 32n)]}${text}`
    number /= 32n
  }
  return text
}
