import { type Static, Type } from 'typebox'

const Merchant = Type.String({ pattern: '^mer_[A-Za-z0-9]{1,60}$', description: 'Who is paid: `mer_…`.' })

/** What somebody else than the merchant gets of a payment. */
const Split = Type.Object(
  {
    merchant: Type.Optional({ ...Merchant, description: 'Another merchant: `mer_…`.' }),
    account: Type.Optional(
      Type.String({
        pattern: '^platform:[A-Za-z0-9_-]{1,64}:(?:revenue|payable)$',
        description: 'Yours: what you earn, as in platform:fees:revenue, or owe to others, as in platform:vat:payable.',
      }),
    ),
    amount: Type.Optional(
      Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Minor units of the currency.' }),
    ),
    share_basis_points: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'Of the whole amount: 250 is 2.5 %.' }),
    ),
  },
  { additionalProperties: false, description: 'merchant or account, and amount or share_basis_points.' },
)
export type SplitBody = Static<typeof Split>

/** What one of them gives of a refund. */
export const RefundSplit = Type.Object(
  {
    merchant: Type.Optional({ ...Merchant, description: 'Who shares the payment: `mer_…`; or' }),
    account: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: 'the account that does, as in platform:fees:revenue.' }),
    ),
    amount: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Minor units of the currency.' }),
  },
  { additionalProperties: false },
)

/** What `POST /v1/payments` takes. Amounts in minor units of the currency. */
export const PaymentBody = Type.Object(
  {
    amount: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Minor units, as in 1999 for 19.99 EUR.',
    }),
    currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code.' }),
    merchant: Merchant,
    splits: Type.Optional(
      Type.Array(Split, {
        minItems: 1,
        maxItems: 50,
        description: "What others get of it, when it is captured; the rest is the merchant's.",
      }),
    ),
    customer: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'Your reference of who pays. Stored as a keyed digest, and sealed.',
      }),
    ),
    payment_method: Type.String({ minLength: 1, maxLength: 255, description: "A gateway's token. Sealed." }),
    capture_mode: Type.Optional(
      Type.Union([Type.Literal('automatic'), Type.Literal('manual')], { description: 'automatic by default.' }),
    ),
    expires_at: Type.Optional(
      Type.String({
        format: 'date-time',
        maxLength: 40,
        description: 'RFC 3339; past it the payment is not executed. 15 minutes by default, 7 days at most.',
      }),
    ),
    description: Type.Optional(Type.String({ maxLength: 1000, description: 'Sealed.' })),
    metadata: Type.Optional(
      Type.Record(Type.String({ pattern: '^.{1,40}$' }), Type.String({ maxLength: 500 }), {
        maxProperties: 50,
        additionalProperties: false,
        description: 'Up to 50 texts of your own. Sealed.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type PaymentBody = Static<typeof PaymentBody>
