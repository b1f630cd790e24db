import { booksOf } from './books.ts'
import { integritySection } from './check-integrity.ts'
import { moneySection, settlementSection } from './check-money.ts'
import { lookAt } from './check-payment.ts'
import { operationSection, reportedSection, requestSection, stormSection } from './check-payments.ts'
import { heardSection, inboundSection } from './check-webhooks.ts'
import type { CorpusSent } from './corpus.ts'
import type { Heard } from './endpoint.ts'
import type { Section } from './findings.ts'
import type { Afterwards } from './later.ts'
import type { Reported } from './lineages.ts'
import type { Settled } from './payouts.ts'
import type { Answers } from './requests.ts'
import * as sql from './sql.ts'
import type { Stage } from './stage.ts'
import type { Carried } from './webhooks.ts'

export type Played = {
  readonly answers: Answers
  readonly afterwards: Afterwards
  readonly reported: Reported
  readonly carried: Carried
  readonly heard: Heard
  readonly settled: Settled
  readonly corpus: CorpusSent | undefined
  readonly isSettled: boolean
}

/** Compares what the platform says with what was counted outside it, figure by figure. */
export async function check(stage: Stage, played: Played): Promise<Section[]> {
  const { answers, afterwards, reported, carried, corpus } = played
  const { database, tenant } = stage
  const eventsOf = await sql.events(database, tenant)
  const payments = await lookAt(stage, answers.accepted)
  const acquired = booksOf(payments.map(({ held }) => held))
  for (const [currency, amount] of played.settled.paidOut) acquired.paidOut.set(currency, amount)

  return [
    requestSection(answers, payments, eventsOf),
    stormSection(payments, await sql.doubts(database, tenant)),
    operationSection(answers, afterwards, payments, eventsOf),
    await reportedSection(stage, reported),
    inboundSection(stage, carried, corpus, eventsOf),
    heardSection(played.heard, await sql.publicEvents(database, tenant), eventsOf),
    await moneySection(stage, [reported.books, acquired]),
    await settlementSection(stage, played.settled),
    await integritySection(stage, played.isSettled),
  ]
}
