import { Type } from 'typebox'
import { checkSettings } from '#kernel/config-check'
import { UsageError } from '#kernel/errors'
import { type Answer, json, problem } from './answer.ts'
import { BankRefusal } from './bank.ts'
import { amountOf, captureMethodOf, currencyOf, metadataOf, refusal } from './fields.ts'
import { Move } from './moves.ts'
import { type ApiRequest, refused } from './routes.ts'
import type { Simulation } from './simulation.ts'
import type { Webhooks } from './webhooks.ts'

const Request = Type.Object(
  {
    ...Move.properties,
    payment: Type.Optional(Type.String({ description: 'our payment id' })),
    object: Type.Optional(Type.String({ description: 'the id of an intent, charge, refund or dispute' })),
  },
  { additionalProperties: false, description: 'an object' },
)

const Advance = Type.Object(
  {
    seconds: Type.Integer({
      minimum: 1,
      maximum: 31_536_000,
      description: 'a whole number of seconds, a year at most',
    }),
  },
  { additionalProperties: false, description: 'an object with seconds' },
)

/** What tests and demos make happen, and look at: `GET /control` and `POST /control/<what>`. */
export function handleControl(request: ApiRequest, simulation: Simulation, webhooks: Webhooks): Answer {
  try {
    return route(request, simulation, webhooks)
  } catch (error) {
    if (error instanceof BankRefusal) return refused(error)
    if (error instanceof UsageError) return problem(400, 'parameter_invalid', { message: error.message })
    throw error
  }
}

function route({ method, path, body, origin }: ApiRequest, simulation: Simulation, webhooks: Webhooks): Answer {
  const what = path.slice('/control/'.length)
  if (method === 'GET') return json(200, stateOf(simulation, webhooks))
  if (what === 'payments') return json(200, reportPayment(body, origin, simulation))
  if (what === 'advance') return advance(body, simulation)
  const { payment, object, ...move } = checkSettings(Request, { ...body, do: what }, nameOf)
  return json(200, { object: 'list', data: simulation.move(move, object ?? payment) })
}

/** The verb stands in the address. */
function nameOf(path: string): string {
  return path === '' ? 'The body' : path === 'do' ? 'What follows /control/' : path
}

function advance(body: ApiRequest['body'], simulation: Simulation): Answer {
  const { seconds } = checkSettings(Advance, body, nameOf)
  simulation.advance(seconds * 1000)
  return json(200, { now: new Date(simulation.clock.now()).toISOString() })
}

/** A payment that begins at the gateway: the platform learns of it by webhooks. */
function reportPayment(body: ApiRequest['body'], origin: string | undefined, { bank, tell }: Simulation): object {
  const amount = amountOf(body.amount, 'amount')
  if (amount === undefined) throw refusal('parameter_missing_amount', 'amount', 'must be a positive whole number')
  const input = {
    amount,
    currency: currencyOf(body.currency),
    captureMethod: captureMethodOf(body.capture_method),
    confirm: true,
    paymentMethod: null,
    metadata: metadataOf(body.metadata),
  }
  return tell(bank.under(origin, () => bank.createIntent(input)))
}

function stateOf({ bank, clock, followUps }: Simulation, webhooks: Webhooks): object {
  const { settlement } = bank
  const balances = settlement.currencies().map((currency) => [currency.toUpperCase(), settlement.balance(currency)])
  return {
    now: new Date(clock.now()).toISOString(),
    balances: Object.fromEntries(balances),
    payouts: settlement.payouts().length,
    webhooks: webhooks.counts(),
    follow_ups: followUps(),
  }
}
