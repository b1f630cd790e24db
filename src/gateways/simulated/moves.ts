import { type Static, Type } from 'typebox'
import type { Bank } from './bank.ts'
import type { Folder } from './folders.ts'
import { BankRefusal, type Dispute, type Done, type Intent, type Payout, type Refund } from './objects.ts'

const Amount = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: "a positive whole number of the gateway's units",
})
const Code = Type.String({
  pattern: '^[a-z0-9_]{1,64}$',
  description: 'a code of up to 64 small letters, digits and _',
})

const verbs = {
  open_dispute:
    'open a dispute, or an inquiry (`inquiry`), over `amount` or all of it, for `reason`, due in `due_in_seconds`',
  escalate_dispute: 'make an inquiry a dispute',
  respond_dispute: 'send evidence: the dispute is under review',
  win_dispute: 'close the dispute: the money comes back',
  lose_dispute: 'close the dispute: the money is gone',
  close_inquiry: 'close an inquiry that came to nothing',
  refund: 'refund `amount`, or what is left',
  fail_refund: 'have the refund fail, for `reason`',
  complete_3ds: 'have the payer complete 3-D Secure',
  fail_3ds: 'have the payer fail 3-D Secure',
  capture: 'capture `amount`, or all',
  cancel: 'cancel what is not captured',
  pay_out: 'pay the balance of `currency` out, or of every currency',
} as const

export type Verb = keyof typeof verbs

/** What each does, as documented. */
export const verbSummaries: Readonly<Record<Verb, string>> = verbs

const names = Object.keys(verbs)

/** Something that happens at the gateway without a call of the platform's. */
export const Move = Type.Object(
  {
    do: Type.Unsafe<Verb>(Type.String({ enum: names, description: `one of ${names.join(', ')}` })),
    amount: Type.Optional(Amount),
    reason: Type.Optional(Code),
    inquiry: Type.Optional(Type.Boolean({ description: 'true or false' })),
    due_in_seconds: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 31_536_000, description: 'a whole number of seconds, a year at most' }),
    ),
    currency: Type.Optional(Type.String({ pattern: '^[A-Za-z]{3}$', description: 'a currency of three letters' })),
  },
  { additionalProperties: false, description: 'an object with `do`' },
)
export type Move = Static<typeof Move>

/** What happens some time after a call, to the payment the call was about. */
export type FollowUp = { readonly afterMs: number; readonly move: Move }

type Moved = Intent | Refund | Dispute | Payout

/**
 * Makes the move on `target`: the id of an object, or our payment id; its newest dispute or refund is meant where
 * it has several and none is named. @throws BankRefusal
 */
export function perform(move: Move, target: string | undefined, bank: Bank): Done<Moved>[] {
  if (move.do === 'pay_out') return payOut(move.currency, bank)
  const folder = target === undefined ? undefined : bank.folder(target)
  if (target === undefined || folder === undefined) throw missing('payment')
  return [performOn(move, target, folder, bank)]
}

function performOn(move: Move, target: string, folder: Folder, bank: Bank): Done<Moved> {
  const { intent } = folder
  const charge = intent.latest_charge?.id ?? intent.id
  switch (move.do) {
    case 'open_dispute':
      return bank.dispute(charge, {
        amount: move.amount,
        reason: move.reason,
        isInquiry: move.inquiry,
        dueInSeconds: move.due_in_seconds,
      })
    case 'escalate_dispute':
      return bank.escalateDispute(oneOf(folder.disputes, target, 'dispute'))
    case 'respond_dispute':
      return bank.respondToDispute(oneOf(folder.disputes, target, 'dispute'))
    case 'win_dispute':
      return bank.closeDispute(oneOf(folder.disputes, target, 'dispute'), 'won')
    case 'lose_dispute':
      return bank.closeDispute(oneOf(folder.disputes, target, 'dispute'), 'lost')
    case 'close_inquiry':
      return bank.closeInquiry(oneOf(folder.disputes, target, 'dispute'))
    case 'refund':
      return bank.refund(charge, move.amount)
    case 'fail_refund':
      return bank.failRefund(oneOf(folder.refunds, target, 'refund'), move.reason)
    case 'complete_3ds':
      return bank.completeChallenge(intent.id)
    case 'fail_3ds':
      return bank.failChallenge(intent.id)
    case 'capture':
      return bank.captureIntent(intent.id, move.amount)
    case 'cancel':
      return bank.cancelIntent(intent.id)
    default:
      throw missing('verb')
  }
}

function payOut(currency: string | undefined, bank: Bank): Done<Payout>[] {
  const currencies = currency === undefined ? bank.settlement.currencies() : [currency.toLowerCase()]
  return currencies.flatMap((one) => bank.payout(one) ?? [])
}

function oneOf(objects: readonly { id: string }[], target: string, what: string): string {
  const found = objects.find(({ id }) => id === target) ?? objects.at(-1)
  if (found === undefined) throw missing(what)
  return found.id
}

function missing(what: string): BankRefusal {
  return new BankRefusal('resource_missing', { message: `The gateway has no such ${what}.`, param: what })
}
