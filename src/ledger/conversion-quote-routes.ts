import { Type } from 'typebox'
import type { HttpServer } from '#kernel/http'
import { toMinorNumber } from '#kernel/money'
import { convert } from './conversion.ts'
import { writeQuote } from './conversion-quote.ts'
import { checkBookable, QuoteBody, quoteRequest } from './conversion-request.ts'
import { type ConversionRoutePorts, RateShape, shownRate } from './conversion-routes.ts'
import { knownRate } from './rate.ts'

const Side = Type.Object({ amount: Type.Integer(), currency: Type.String() })
const Quoted = Type.Object({
  quote: Type.String({ description: 'To be passed on with the conversion.' }),
  id: Type.String({ description: 'Of the conversion that it is for.' }),
  expires_at: Type.String(),
  debit: Side,
  credit: Side,
  given: Type.String({ description: 'debit or credit: the side whose amount was asked for.' }),
  rate: { ...RateShape, description: 'Whole units of the credited currency for one of the debited: exact.' },
})

/** A rate that is promised for a while. */
export function conversionQuoteRoutes(
  server: HttpServer,
  { callers, clock, ratesAt, cursors }: Pick<ConversionRoutePorts, 'callers' | 'clock' | 'ratesAt' | 'cursors'>,
): void {
  const schema = {
    summary: 'Ask what an amount would be converted to, and have it promised',
    description:
      'The rate of today, held until the quote expires. It is for one conversion: that of the id, currencies and amount it was asked for.',
    body: QuoteBody,
    refusals: ['amount_invalid', 'currency_unknown', 'rate_stale', 'rate_unknown'] as const,
    response: { 200: Quoted },
  }
  server.post('/v1/ledger/conversion-quotes', { onRequest: callers.check, schema }, async (request) => {
    const whose = callers.of(request)
    const quotedAt = clock.now()
    const { id, validMs, asked } = quoteRequest(request.body)
    const ask = { from: asked.debit.currency, to: asked.credit.currency, at: quotedAt }
    const rate = knownRate((await ratesAt(whose, [ask]))[0], ask)
    const sides = { debit: { account: '', ...asked.debit }, credit: { account: '', ...asked.credit } }
    const { debit, credit, given } = checkBookable(convert({ ...asked, ...sides }, rate))
    const expiresAt = quotedAt + validMs
    return {
      quote: writeQuote(cursors, whose, { id, asked }, { rate, quotedAt, expiresAt }),
      id,
      expires_at: new Date(expiresAt).toISOString(),
      debit: { amount: toMinorNumber(debit.amount), currency: debit.currency },
      credit: { amount: toMinorNumber(credit.amount), currency: credit.currency },
      given,
      rate: shownRate(rate),
    }
  })
}
