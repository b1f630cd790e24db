import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { test } from 'node:test'
import { systemClock } from '#kernel/clock'
import { covers, type Followed, type Follower, type Offsets } from '#log'
import { createEventStreams, type Listening } from './event-streams.ts'

/** A response that keeps what is written, and a peer that reads or does not. */
class Peer extends EventEmitter {
  text = ''
  destroyed = false
  writableEnded = false
  writableLength = 0
  writableNeedDrain = false
  isReading = true
  status = 0
  writeHead(status: number): void {
    this.status = status
  }
  write(text: string): boolean {
    this.text += text
    if (!this.isReading) this.writableLength += text.length
    return this.isReading
  }
  end(): void {
    this.writableEnded = true
    this.destroy()
  }
  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.emit('close')
  }
}

function setUp() {
  const log: Followed[] = []
  let read = 0
  let hear: ((batch: readonly Followed[]) => void) | undefined
  const offsets = (): Offsets => [read]
  const follower: Partial<Follower> = {
    follow(hearer) {
      hear = hearer
      read = log.length
      return {
        ready: Promise.resolve(),
        stop: () => {
          hear = undefined
        },
      }
    },
    offsets,
    page: async ([from = 0]) => ({ events: log.slice(from), offsets: [log.length], isLast: true }),
  }
  const beats: (() => void)[] = []
  const sleep = (_: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      beats.push(resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
    })
  const streams = createEventStreams({
    follower: follower as Follower,
    clock: { ...systemClock, sleep },
    idOf: (_, [offset]) => String(offset),
  })
  const append = (data: unknown, about: { type?: string; tenant?: string } = {}): void => {
    const { type = 'payment.captured', tenant = 'main' } = about
    const offset = log.length
    const browsed = { id: `evt_${offset}`, type, key: 'pay_1', tenant, mode: 'test', time: new Date(0), data }
    log.push({ key: 'pay_1', type, place: 0, offset, offsets: [offset + 1], read: () => browsed as never })
  }
  const follow = (): void => {
    const batch = log.slice(read)
    read = log.length
    hear?.(batch)
  }
  const open = (about: Partial<Listening> = {}): Peer => {
    const peer = new Peer()
    const listening = {
      tenant: 'main',
      mode: 'test',
      keyId: 'key_1',
      from: [log.length],
      wants: () => true,
      isKeyValid: () => true,
    }
    streams.open({ ...listening, ...about }, peer as unknown as ServerResponse, {})
    return peer
  }
  const beat = (): void => {
    for (const wake of beats.splice(0)) wake()
  }
  return { streams, append, follow, open, beat, isFollowed: () => hear !== undefined }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const told = ({ text }: Peer): string[] => [...text.matchAll(/"id":"(evt_\d+)"/g)].map(([, id = '']) => id)
const lastId = ({ text }: Peer): string | undefined =>
  text
    .match(/^id: .*$/gm)
    ?.at(-1)
    ?.slice(4)

test('what was there is sent first, and what comes meanwhile neither twice nor never', async () => {
  const { append, follow, open } = setUp()
  append(0)
  append(1)
  const peer = open({ from: [1] })
  append(2)
  await turn()
  append(3)
  follow()
  assert.deepEqual(told(peer), ['evt_1', 'evt_2', 'evt_3'])
  assert.equal(lastId(peer), '4')
})

test('a client gets its own tenant’s events of the types it wants, and ids that pass over the rest', async () => {
  const { append, follow, open, beat } = setUp()
  const peer = open({ wants: (type) => type === 'payment.captured' })
  await turn()
  append(0)
  append(1, { type: 'payment.created' })
  append(2, { tenant: 'other' })
  follow()
  assert.deepEqual([told(peer), lastId(peer)], [['evt_0'], '1'])
  beat()
  await turn()
  assert.equal(lastId(peer), '3')
})

test('a client that does not read is let go before it holds a megabyte, and the others go on', async () => {
  const { append, follow, open, streams } = setUp()
  const [slow, quick] = [open(), open()]
  await turn()
  slow.isReading = false
  for (let n = 0; n < 20; n++) {
    append('x'.repeat(100_000))
    follow()
  }
  assert.equal(slow.destroyed, true)
  assert.ok(slow.writableLength < 1_200_000)
  assert.equal(told(quick).length, 20)
  assert.equal(streams.count(), 1)
})

test('a long past comes whole to whoever reads, at the pace of reading', async () => {
  const { append, open } = setUp()
  for (let n = 0; n < 3_000; n++) append('x'.repeat(2_000))
  const peer = open({ from: [0] })
  let most = 0
  peer.write = (text) => {
    peer.text += text
    peer.writableLength += text.length
    peer.writableNeedDrain = true
    most = Math.max(most, peer.writableLength)
    setImmediate(() => {
      peer.writableLength = 0
      peer.writableNeedDrain = false
      peer.emit('drain')
    })
    return false
  }
  for (let turns = 0; turns < 200 && told(peer).length < 3_000; turns++) await turn()
  assert.equal(told(peer).length, 3_000)
  assert.ok(most < 1_048_576, `${most} bytes waited`)
})

test('a stream ends with its key, and the last one takes the follower with it', async () => {
  const { open, beat, isFollowed } = setUp()
  let isValid = true
  const peer = open({ isKeyValid: () => isValid })
  await turn()
  beat()
  await turn()
  assert.equal(peer.destroyed, false)
  isValid = false
  beat()
  await turn()
  assert.deepEqual([peer.writableEnded, isFollowed()], [true, false])
})

test('a key may hold twenty streams, and closing ends them all', async () => {
  const { streams, open } = setUp()
  const peers = Array.from({ length: 20 }, () => open())
  assert.throws(() => open(), { code: 'streams_too_many' })
  open({ keyId: 'key_2' })
  peers[0]?.destroy()
  open()
  await streams.close()
  assert.ok(peers.every(({ destroyed }) => destroyed))
  assert.equal(streams.count(), 0)
})

test('places compare part by part', () => {
  assert.equal(covers([1, 2], [1, 2]), true)
  assert.equal(covers([2, 1], [1, 2]), false)
})
