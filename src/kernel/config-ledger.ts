import { type Static, Type } from 'typebox'

const closed = { additionalProperties: false } as const
const NAME = '[a-z][a-z0-9_]{0,39}'
const WORD = '[A-Za-z0-9_-]{1,64}'
const nameWords = 'small letters, digits and _, up to 40'
const Name = Type.String({ pattern: `^${NAME}$`, description: nameWords })
const PARAMETER = `\\{${NAME}\\}`
const ADDRESS = `[a-z][A-Za-z0-9_-]{0,63}(?::(?:${WORD}|${PARAMETER})){0,7}`
const Address = Type.String({
  pattern: `^${ADDRESS}$`,
  description: 'words with colons between them, any but the first a parameter, as in merchant:{merchant}:payable',
})
const Currency = Type.String({
  pattern: `^(?:[A-Z]{3}|${PARAMETER})$`,
  description: 'an ISO 4217 code or a parameter, as in EUR or {currency}',
})
const Units = Type.Integer({
  minimum: -Number.MAX_SAFE_INTEGER,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'a whole number of minor units',
})
const Flag = Type.Boolean({ description: 'true or false' })

const ChartAccount = Type.Object(
  {
    id: Address,
    type: Type.Union(
      [
        Type.Literal('asset'),
        Type.Literal('liability'),
        Type.Literal('equity'),
        Type.Literal('income'),
        Type.Literal('expense'),
      ],
      { description: 'asset, liability, equity, income or expense' },
    ),
    normalSide: Type.Optional(
      Type.Union([Type.Literal('debit'), Type.Literal('credit')], { description: 'debit or credit' }),
    ),
    currency: Type.Optional(Currency),
    parent: Type.Optional(Address),
    floor: Type.Optional(Units),
    ceiling: Type.Optional(Units),
    guarded: Type.Optional(Flag),
    metadata: Type.Optional(
      Type.Record(Type.String({ pattern: '^.{1,40}$' }), Type.String({ maxLength: 500 }), {
        ...closed,
        maxProperties: 50,
        description: 'up to 50 texts',
      }),
    ),
  },
  { ...closed, description: 'an account: id, type, and what limits it' },
)

const Chart = Type.Object(
  {
    parameters: Type.Optional(
      Type.Array(Name, { maxItems: 10, description: `a list of up to 10 names: ${nameWords}` }),
    ),
    accounts: Type.Array(ChartAccount, { minItems: 1, maxItems: 50, description: 'a list of 1 to 50 accounts' }),
  },
  { ...closed, description: 'an object with parameters and accounts' },
)

const ParameterKind = Type.Union(
  [
    Type.Literal('word'),
    Type.Literal('account'),
    Type.Literal('amount'),
    Type.Literal('currency'),
    Type.Literal('basis_points'),
  ],
  { description: 'word, account, amount, currency or basis_points' },
)
const Amount = Type.Union(
  [Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }), Type.String({ pattern: `^${PARAMETER}$` })],
  { description: 'a whole number of minor units or a parameter, as in 500 or {amount}' },
)
const PostedAccount = Type.String({
  pattern: `^(?:${ADDRESS}|${PARAMETER})$`,
  description: 'an account whose words may be parameters, or a parameter, as in wallet:{buyer} or {account}',
})
const Share = Type.Object(
  {
    account: PostedAccount,
    amount: Type.Optional(Amount),
    basisPoints: Type.Optional(
      Type.Union([Type.Integer({ minimum: 0, maximum: 10_000 }), Type.String({ pattern: `^${PARAMETER}$` })], {
        description: 'a whole number from 0 to 10000 or a parameter',
      }),
    ),
    remaining: Type.Optional(Type.Literal(true, { description: 'true' })),
  },
  { ...closed, description: 'an account with amount, basisPoints or remaining' },
)
const Side = Type.Union([PostedAccount, Type.Array(Share, { minItems: 1, maxItems: 50 })], {
  description: 'an account, or a list of shares: an account each, with amount, basisPoints or remaining',
})
const TemplateTransfer = Type.Object(
  { debit: Side, credit: Side, amount: Amount, currency: Currency, sweep: Type.Optional(Flag) },
  { ...closed, description: 'an object with debit, credit, amount and currency' },
)
const TemplateCondition = Type.Object(
  { account: PostedAccount, currency: Currency, atLeast: Type.Optional(Amount), atMost: Type.Optional(Amount) },
  { ...closed, description: 'an object with account, currency, and atLeast, atMost or both' },
)

const Template = Type.Object(
  {
    version: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'a whole number from 1 on' }),
    purpose: Type.Optional(Name),
    parameters: Type.Record(Type.String({ pattern: `^${NAME}$` }), ParameterKind, {
      ...closed,
      maxProperties: 40,
      description: `an object with a kind for each name of ${nameWords}`,
    }),
    transfers: Type.Array(TemplateTransfer, {
      minItems: 1,
      maxItems: 20,
      description: 'a list of 1 to 20 transfers',
    }),
    conditions: Type.Optional(
      Type.Array(TemplateCondition, { maxItems: 20, description: 'a list of up to 20 conditions' }),
    ),
  },
  { ...closed, description: 'an object with version, parameters and transfers' },
)

/** Charts of accounts and templates of entries, by name. What they mean together is for the ledger to check. */
export const LedgerSettings = Type.Object(
  {
    charts: Type.Optional(
      Type.Record(Type.String({ pattern: `^${NAME}$` }), Chart, {
        ...closed,
        description: `an object with a chart of accounts for each name of ${nameWords}`,
      }),
    ),
    templates: Type.Optional(
      Type.Record(Type.String({ pattern: `^${NAME}$` }), Template, {
        ...closed,
        description: `an object with a template of entries for each name of ${nameWords}`,
      }),
    ),
  },
  { ...closed, description: 'an object with charts and templates' },
)
export type LedgerSettings = Static<typeof LedgerSettings>
export type ChartSettings = Static<typeof Chart>
export type ChartAccountSettings = Static<typeof ChartAccount>
export type TemplateSettings = Static<typeof Template>
export type ParameterKind = Static<typeof ParameterKind>
