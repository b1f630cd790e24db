import { Type } from 'typebox'
import { eventType } from '#log'

const Currency = Type.String({ pattern: '^[A-Z]{3}$' })
const Day = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' })
const Decimal = Type.String({ pattern: '^[0-9]{1,15}([.][0-9]{1,15})?$' })

/** Rates that were not known were recorded. Key: `fx/` and the source. */
export const ratesRecorded = eventType({
  type: 'fx.rates_recorded',
  topic: 'fx',
  schema: Type.Object({
    source: Type.String(),
    /** How many. */
    rates: Type.Integer({ minimum: 1 }),
    /** The first and the last day they are of. */
    from: Day,
    through: Day,
  }),
})

/** Somebody replaced a rate that was known. What was converted by it stays as it is. Key: as before. */
export const rateReplaced = eventType({
  type: 'fx.rate_replaced',
  topic: 'fx',
  schema: Type.Object({
    source: Type.String(),
    base: Currency,
    currency: Currency,
    day: Day,
    /** Units of the currency for one unit of the base. */
    before: Decimal,
    after: Decimal,
  }),
})
