import { type TSchema, Type } from 'typebox'

const LIMIT_DEFAULT = 25

/** Query parameters of every list. */
export const pageQuery = {
  limit: Type.Optional(
    Type.String({
      pattern: '^(?:[1-9][0-9]?|100)$',
      description: `How many at most: 1 to 100, ${LIMIT_DEFAULT} by default`,
    }),
  ),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 1_000, description: 'next_cursor of the page before, as it was answered' }),
  ),
} as const

export function pageLimit(limit: string | undefined): number {
  return limit === undefined ? LIMIT_DEFAULT : Number(limit)
}

/** What every list answers. */
export function pageOf<Item extends TSchema>(item: Item, description: string) {
  return Type.Object(
    {
      data: Type.Array(item),
      has_more: Type.Boolean({ description: 'Whether there are more by now.' }),
      next_cursor: Type.Union([Type.String(), Type.Null()], { description: 'Where the next page begins.' }),
    },
    { description },
  )
}
