import { type Static, Type } from 'typebox'

/** What `POST /v1/payments` takes. Amounts in minor units of the currency. */
export const PaymentBody = Type.Object(
  {
    amount: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'Minor units, as in 1999 for 19.99 EUR.',
    }),
    currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code.' }),
    merchant: Type.String({ pattern: '^mer_[A-Za-z0-9]{1,60}$', description: 'Who is paid: `mer_…`.' }),
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
