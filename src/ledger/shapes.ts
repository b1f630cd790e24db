import { type Static, Type } from 'typebox'

const closed = { additionalProperties: false } as const
const AMOUNT_MAX = Number.MAX_SAFE_INTEGER
/** Small words with colons between them: as in wallet:ada. */
export const ACCOUNT_PATTERN = '^[a-z][A-Za-z0-9_-]{0,63}(?::[A-Za-z0-9_-]{1,64}){0,7}$'
/** An id goes into addresses, keys and files. */
export const ID_PATTERN = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$'

export const Account = Type.String({ pattern: ACCOUNT_PATTERN, description: 'An account, as in wallet:ada.' })
export const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217 code.' })
export const Id = Type.String({
  pattern: ID_PATTERN,
  description: 'Yours: what is asked for under it is done once. Letters, digits, _ . and -, up to 100.',
})
const Amount = Type.Integer({ minimum: 1, maximum: AMOUNT_MAX, description: 'Minor units of the currency.' })
const Purpose = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,39}$',
  description: 'What kind of entry it is, as in topup.',
})
const Instant = (description: string) => Type.String({ format: 'date-time', maxLength: 40, description })
const Limit = Type.Union([Type.Integer({ minimum: -AMOUNT_MAX, maximum: AMOUNT_MAX }), Type.Null()])

const Posting = Type.Object(
  {
    account: Account,
    amount: Type.Integer({
      minimum: -AMOUNT_MAX,
      maximum: AMOUNT_MAX,
      description: 'Minor units: debits above zero, credits below.',
    }),
    currency: Currency,
  },
  closed,
)
const Transfer = Type.Object(
  {
    debit: Account,
    credit: Account,
    amount: Amount,
    currency: Currency,
    sweep: Type.Optional(
      Type.Boolean({
        description: 'Move what there is, up to the amount, as far as the limits of both accounts allow.',
      }),
    ),
  },
  closed,
)
const Condition = Type.Object(
  {
    account: Account,
    currency: Currency,
    at_least: Type.Optional(Type.Integer({ minimum: -AMOUNT_MAX, maximum: AMOUNT_MAX })),
    at_most: Type.Optional(Type.Integer({ minimum: -AMOUNT_MAX, maximum: AMOUNT_MAX })),
  },
  { ...closed, description: 'What a guarded account must have available before it, in minor units.' },
)
const Metadata = Type.Record(Type.String({ pattern: '^.{1,40}$' }), Type.String({ maxLength: 500 }), {
  maxProperties: 50,
  additionalProperties: false,
  description: 'Up to 50 texts of your own. Sealed.',
})

const Name = Type.String({ pattern: '^[a-z][a-z0-9_]{0,39}$' })
/** Of what kind each has to be is known by name alone. */
export const ParameterValues = Type.Record(
  Type.String({ pattern: '^[a-z][a-z0-9_]{0,39}$' }),
  Type.Union([Type.String({ maxLength: 600 }), Type.Number()]),
  { maxProperties: 40, additionalProperties: false, description: 'What stands for the parameters, each of its kind.' },
)

export const EntryBody = Type.Object(
  {
    id: Id,
    purpose: Type.Optional(Purpose),
    postings: Type.Optional(Type.Array(Posting, { maxItems: 200 })),
    transfers: Type.Optional(Type.Array(Transfer, { maxItems: 100 })),
    conditions: Type.Optional(Type.Array(Condition, { maxItems: 20 })),
    template: Type.Optional({ ...Name, description: 'Of the configuration: it says what is posted, and for what.' }),
    parameters: Type.Optional(ParameterValues),
    reverses: Type.Optional(
      Type.String({ minLength: 1, maxLength: 300, description: 'Source of an entry: this one books its opposite.' }),
    ),
    effective_at: Type.Optional(Instant('When it happened, if that was earlier.')),
    scheduled_for: Type.Optional(Instant('To be booked then, if it can be then; it takes effect at that time.')),
  },
  closed,
)
export type EntryBody = Static<typeof EntryBody>

export const BulkBody = Type.Object(
  {
    entries: Type.Array(EntryBody, { minItems: 1, maxItems: 1_000 }),
    atomic: Type.Optional(Type.Boolean({ description: 'All are booked, or none. Otherwise each for itself.' })),
  },
  closed,
)

export const HoldBody = Type.Object(
  {
    id: Id,
    purpose: Type.Optional(Purpose),
    debit: Account,
    credit: Account,
    amount: Amount,
    currency: Currency,
    sweep: Type.Optional(Type.Boolean({ description: 'Hold what there is, up to the amount.' })),
    conditions: Type.Optional(Type.Array(Condition, { maxItems: 20 })),
    expires_at: Type.Optional(Instant('When it is let go by itself.')),
  },
  closed,
)
export type HoldBody = Static<typeof HoldBody>

export const HoldPostBody = Type.Object(
  {
    id: Id,
    amount: Type.Optional(Type.Integer({ minimum: 1, maximum: AMOUNT_MAX, description: 'All of it by default.' })),
    effective_at: Type.Optional(Instant('When it happened, if that was earlier.')),
  },
  closed,
)
export const HoldVoidBody = Type.Object({ id: Id }, closed)

export const PayoutBody = Type.Object(
  {
    id: Id,
    merchant: Type.String({ pattern: '^mer_[A-Za-z0-9]{1,60}$', description: 'Who is paid: `mer_…`.' }),
    from: { ...Account, description: 'Where the money leaves, as in bank:main.' },
    amount: Type.Optional(Amount),
    up_to: Type.Optional({ ...Amount, description: 'What there is, up to so many minor units.' }),
    currency: Currency,
    effective_at: Type.Optional(Instant('When it happened, if that was earlier.')),
  },
  closed,
)
export type PayoutBody = Static<typeof PayoutBody>
export const PayoutFailureBody = Type.Object(
  { effective_at: Type.Optional(Instant('When it happened, if that was earlier.')) },
  closed,
)

const Type_ = Type.Union(
  [
    Type.Literal('asset'),
    Type.Literal('liability'),
    Type.Literal('equity'),
    Type.Literal('income'),
    Type.Literal('expense'),
  ],
  { description: 'asset, liability, equity, income or expense' },
)
const Side = Type.Union([Type.Literal('debit'), Type.Literal('credit')], {
  description: 'The side on which it grows; that of its type by default.',
})
const limits = {
  floor: Type.Optional({ ...Limit, description: 'What is available never falls below it, in minor units.' }),
  ceiling: Type.Optional({ ...Limit, description: 'What it has and expects never exceeds it, in minor units.' }),
  guarded: Type.Optional(Type.Boolean({ description: 'Kept exact under lock, for conditions. Needed for limits.' })),
  metadata: Type.Optional(Metadata),
}
export const AccountBody = Type.Object(
  {
    id: Account,
    type: Type_,
    normal_side: Type.Optional(Side),
    currency: Type.Optional(Currency),
    parent: Type.Optional(Account),
    ...limits,
  },
  closed,
)
export type AccountBody = Static<typeof AccountBody>
export const ChartBody = Type.Object(
  {
    chart: { ...Name, description: 'Of the configuration.' },
    parameters: Type.Optional(ParameterValues),
    account: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 600,
        description: 'One of its accounts as the chart names it; all by default.',
      }),
    ),
  },
  closed,
)
export const AccountPatchBody = Type.Object({ ...limits, closed: Type.Optional(Type.Boolean()) }, closed)
export type AccountPatchBody = Static<typeof AccountPatchBody>

export const Done = Type.Object({
  id: Type.String(),
  entry: Type.Union([Type.String(), Type.Null()]),
  source: Type.Union([Type.String(), Type.Null()], { description: 'By what it is found again, and reversed.' }),
  repeated: Type.Boolean({ description: 'It was done before, under the same id.' }),
  schedule: Type.Optional(
    Type.String({ description: 'Of what is to be booked at a time: scheduled, booked, refused or canceled by now.' }),
  ),
})

export const PayoutShape = Type.Object({
  id: Type.String(),
  status: Type.String({ description: 'booked, or failed: what it moved has been given back.' }),
  account: Type.String({ description: 'What the merchant is owed.' }),
  from: Type.String(),
  amount: Type.String({ description: 'Minor units, as text.' }),
  currency: Type.String(),
  entry: Type.String(),
  source: Type.String({ description: 'Of the entry that booked it.' }),
  reversal: Type.Union([Type.String({ description: 'Source of the entry that undid it.' }), Type.Null()]),
  effective_at: Type.String(),
  booked_at: Type.String(),
})

const Nullable = (description: string) => Type.Union([Type.String({ description }), Type.Null()])
export const AccountSettingsShape = Type.Object({
  id: Type.String(),
  type: Type.String(),
  normal_side: Type.String(),
  currency: Nullable('The one currency it takes; null: any.'),
  parent: Nullable('An account that this one is a part of.'),
  floor: Nullable('Minor units, as text.'),
  ceiling: Nullable('Minor units, as text.'),
  guarded: Type.Boolean(),
  metadata: Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]),
  opened_at: Type.String(),
  closed_at: Nullable('When it was closed.'),
  available: Type.Array(
    Type.Object({
      currency: Type.String(),
      amount: Type.String({ description: 'What can still be spent but for the floor: the balance less what is held.' }),
      held: Type.String(),
    }),
    { description: 'Of a guarded account, exact at this moment.' },
  ),
})
