import { writeFile } from 'node:fs/promises'
import { seededRandom } from '#kernel/random'
import { type Receiver, startReceiver } from '../../../src/cli/demo/receiver.ts'
import type { ReceiverStory } from '../audit/evidence.ts'
import { answer } from '../child.ts'

// Servers of merchants in a process of their own. Each fails one call in ten, checks signatures, and remembers what it was told.

export type ReceiverSide = typeof side

const receivers: Receiver[] = []

const side = {
  async start({ seed, count }: { seed: number; count: number }): Promise<number[]> {
    for (let n = 0; n < count; n++) receivers.push(await startReceiver(seededRandom(seed + n)))
    return receivers.map(({ url }) => Number(new URL(url).port))
  },
  trust({ receiver, secret }: { receiver: number; secret: string }): void {
    receivers[receiver]?.trust(secret)
  },
  /** As a crash would: what is under way breaks off. */
  async goDown(_: null): Promise<void> {
    await Promise.all(receivers.map((receiver) => receiver.goDown()))
  },
  async comeBack(_: null): Promise<void> {
    await Promise.all(receivers.map((receiver) => receiver.comeBack()))
  },
  accepted(_: null): number[] {
    return receivers.map(({ tally }) => tally.counts().different)
  },
  /** Writes what a receiver knows, up to the last message that it should have, as JSON. */
  async dump({ path, receiver, last }: { path: string; receiver: number; last: number }): Promise<void> {
    const { tally } = receivers[receiver] ?? { tally: undefined }
    if (!tally) throw new Error(`there is no receiver ${receiver}`)
    const story: Omit<ReceiverStory, 'name' | 'types'> = {
      ...tally.counts(),
      highest: tally.highest(),
      missing: tally.missing(last),
      told: Object.fromEntries(tally.told()),
    }
    await writeFile(path, JSON.stringify(story))
  },
}

answer(side)
