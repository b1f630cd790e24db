import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '#kernel/errors'
import type { Stage } from './stage.ts'
import { isAccepted } from './webhooks.ts'

export const CORPUS = { test: 'corpus-test', live: 'corpus-live', merchant: 'mer_corpus' } as const

export type CorpusSent = { readonly sent: number; readonly accepted: number }

/** Recorded Stripe events, as they were, signed by us, to the account of their mode. */
export function readCorpus(directory: string): string[] {
  const folder = join(directory, 'stripe/events')
  try {
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
    return files.sort().map((name) => readFileSync(join(folder, name), 'utf8'))
  } catch (cause) {
    throw new UsageError(`--corpus needs a directory with stripe/events/*.json in it; ${folder} cannot be read.`, {
      cause,
    })
  }
}

export async function sendCorpus(stage: Stage, events: readonly string[], secret: string): Promise<CorpusSent> {
  let accepted = 0
  for (const body of events) {
    const account = isLive(body) ? CORPUS.live : CORPUS.test
    if (await isAccepted(stage, account, 'stripe', secret, body)) accepted += 1
  }
  return { sent: events.length, accepted }
}

function isLive(body: string): boolean {
  const event: unknown = JSON.parse(body)
  return typeof event === 'object' && event !== null && 'livemode' in event && event.livemode === true
}
