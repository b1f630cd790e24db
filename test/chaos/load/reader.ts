import { isObject } from '#gateways/stripe'
import { systemClock } from '#kernel/clock'
import { type Client, GaveUp } from './client.ts'
import type { Journal } from './journal.ts'

const PAUSE_MS = 250
/** How often, in questions, the whole trial balance is asked for. */
const BALANCE_EVERY = 8

/** Somebody who looks at payments and at the books all the while: at no moment may they not balance. */
export async function openReader(about: {
  readonly client: Client
  readonly journal: Journal
  readonly apiKey: string
  readonly stopping: AbortSignal
}): Promise<void> {
  const { client, journal, apiKey, stopping } = about
  const headers = { authorization: `Bearer ${apiKey}` }
  const get = (path: string) => client.ask({ method: 'GET', path, headers })

  for (let n = 1; !stopping.aborted; n++) {
    await systemClock.sleep(PAUSE_MS, stopping)
    const { value: payment } = journal.payments.keys().next()
    if (payment === undefined) continue
    try {
      if (n % BALANCE_EVERY === 0) lookAtBooks((await get('/v1/trial-balance')).body, journal)
      else await get(n % 2 === 0 ? '/v1/payments?limit=20' : `/v1/payments/${payment}`)
    } catch (error) {
      if (error instanceof GaveUp) return
      throw error
    }
  }
}

function lookAtBooks(body: string, journal: Journal): void {
  const books: unknown = JSON.parse(body)
  const totals = isObject(books) && Array.isArray(books.totals) ? books.totals.filter(isObject) : []
  for (const { currency, difference } of totals) {
    if (difference !== '0')
      journal.broke(`the trial balance in ${currency} differed by ${difference} while payments flowed`)
  }
}
