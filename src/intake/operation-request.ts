import { type Static, Type } from 'typebox'
import { RefundSplit } from './request.ts'

const Amount = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Minor units of the payment’s currency; all there is, where it is left out.',
})

/** What `POST /v1/payments/{id}/capture` takes. */
export const CaptureBody = Type.Object(
  {
    amount: Type.Optional(Amount),
    expires_at: Type.Optional(
      Type.String({
        format: 'date-time',
        maxLength: 40,
        description: 'RFC 3339; past it the capture is not made. 15 minutes by default, 7 days at most.',
      }),
    ),
  },
  { additionalProperties: false },
)

/** What `POST /v1/payments/{id}/cancel` takes. */
export const CancelBody = Type.Object({}, { additionalProperties: false })

/** What `POST /v1/payments/{id}/refunds` takes. A list of reasons, not a text: what people write is personal. */
export const RefundBody = Type.Object(
  {
    amount: Type.Optional(Amount),
    reason: Type.Optional(
      Type.Union([Type.Literal('duplicate'), Type.Literal('fraudulent'), Type.Literal('requested_by_customer')]),
    ),
    splits: Type.Optional(
      Type.Array(RefundSplit, {
        maxItems: 50,
        description:
          'Of a payment that is split: who gives how much of it, and the merchant the rest. By what each has otherwise.',
      }),
    ),
  },
  { additionalProperties: false },
)

export type OperationBody = Static<typeof CaptureBody> & Static<typeof CancelBody> & Static<typeof RefundBody>
