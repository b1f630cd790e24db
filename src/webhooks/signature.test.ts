import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { systemClock } from '#kernel/clock'
import { seededRandom } from '#kernel/random'
import { newSecret, sign, signingKey } from './signature.ts'

test('whatever the payload, each current secret verifies by the official library, and no other', () => {
  const random = seededRandom(1)
  const [one, two, stranger] = [newSecret(random), newSecret(random), newSecret(random)]
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.stringMatching(/^evt_[a-z0-9]{1,30}$/), (text, id) => {
      const payload = JSON.stringify({ text })
      const timestamp = Math.floor(systemClock.now() / 1000)
      const signature = sign([signingKey(one), signingKey(two)], id, timestamp, payload)
      const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signature }
      for (const secret of [one, two]) assert.deepEqual(new Webhook(secret).verify(payload, headers), { text })
      assert.throws(() => new Webhook(stranger).verify(payload, headers))
      assert.throws(() => new Webhook(one).verify(`${payload} `, headers))
    }),
  )
})
