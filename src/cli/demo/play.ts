import { check, type Played } from './check.ts'
import { sendCorpus } from './corpus.ts'
import type { Section } from './findings.ts'
import { reportLineages } from './lineages.ts'
import { planRequests, sendRequests } from './requests.ts'
import { untilQuiet, untilSettled } from './settle.ts'
import type { Stage } from './stage.ts'
import { carryWebhooks } from './webhooks.ts'

export type Play = {
  readonly stage: Stage
  readonly payments: number
  readonly corpus: readonly string[]
  readonly corpusSecret: string
}

/** A machine that is busy with something else must not fail the demo. */
const LIMIT_MS = 45_000
const LIMIT_MS_A_PAYMENT = 40

/** Plays all of it, waits for the end, and compares. */
export async function play({ stage, payments, corpus, corpusSecret }: Play): Promise<Section[]> {
  const limitMs = LIMIT_MS + payments * LIMIT_MS_A_PAYMENT
  stage.progress('planning')
  const plan = planRequests(stage.random, payments)
  const reported = reportLineages(stage.shop, stage.random, payments)

  const [answers, carried] = await Promise.all([
    sendRequests(stage, plan),
    carryWebhooks(stage, () => untilQuiet(stage, limitMs)),
  ])
  const sent = corpus.length > 0 ? await sendCorpus(stage, corpus, corpusSecret) : undefined

  const isSettled = await untilSettled(stage, limitMs)
  stage.progress('waiting for the last webhooks')
  await stage.acquirer.idle()
  const isQuiet = await untilSettled(stage, limitMs)
  stage.progress('comparing')
  const played: Played = { answers, reported, carried, corpus: sent, isSettled: isSettled && isQuiet }
  return check(stage, played)
}
