import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'

const about = { operation: Type.String(), payment: Type.String() }
/** Minor units. */
const money = { amount: Type.Integer({ minimum: 1 }), currency: Type.String() }
/** The gateway's id of the intent, or of the charge for a refund. */
const object = { object: Type.String() }

const Authorize = Type.Object({
  call: Type.Literal('authorize'),
  ...about,
  ...money,
  captureMode: Type.Union([Type.Literal('automatic'), Type.Literal('manual')]),
  /** Sealed. */
  paymentMethod: Type.String(),
})
const Capture = Type.Object({ call: Type.Literal('capture'), ...about, ...money, ...object })
const Cancel = Type.Object({ call: Type.Literal('cancel'), ...about, ...object })
const Refund = Type.Object({ call: Type.Literal('refund'), ...about, ...money, ...object })
const Find = Type.Object({ call: Type.Literal('find'), ...about })

/** What `payments` asks of a gateway account. */
const GatewayCall = Type.Union([Authorize, Capture, Cancel, Refund, Find])
export type GatewayCall = Static<typeof GatewayCall>
export type Authorize = Static<typeof Authorize>

const validator = Compile(GatewayCall)

export function isGatewayCall(payload: unknown): payload is GatewayCall {
  return validator.Check(payload)
}
