import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAddressGuard, isPrivateAddress } from '#kernel/ssrf'

const refused = [
  '127.0.0.1',
  '127.255.255.254',
  '0.0.0.0',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '169.254.169.254',
  '192.0.0.170',
  '198.18.0.1',
  '203.0.113.7',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:8.8.8.8',
  '64:ff9b::7f00:1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'ff02::1',
  'no address',
]

for (const address of refused) {
  test(`${address} is not called`, () => assert.equal(isPrivateAddress(address), true))
}

test('what is on the public internet is called', () => {
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '172.15.0.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00::1',
  ]) {
    assert.equal(isPrivateAddress(address), false, address)
  }
})

/** As a URL has them after parsing: that is how they come to the guard. */
test('however a URL spells an address, it is refused', () => {
  const guard = createAddressGuard([])
  const spelled = [
    '127.0.0.1',
    '0x7f.1',
    '2130706433',
    '017700000001',
    '127.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
  ]
  for (const host of spelled) assert.equal(guard.refuses(new URL(`http://${host}/`).hostname), true, host)
})

test('an allowed host may be anything, and allows no other', () => {
  const guard = createAddressGuard(['127.0.0.1', '[::1]'])
  assert.deepEqual(
    ['127.0.0.1', '[::1]', '127.0.0.2'].map((host) => guard.refuses(host)),
    [false, false, true],
  )
})

test('a name that leads to one private address among others is refused whole', () => {
  const guard = createAddressGuard([], (_, answer) =>
    answer(null, [
      { address: '1.1.1.1', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ]),
  )
  let error: Error | null = null
  guard.lookup('mixed.example', { all: true }, (found) => {
    error = found
  })
  assert.match(String(error), /AddressRefused/)
})
