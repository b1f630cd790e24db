import type { Answer, Command } from './call.ts'
import type { Verdict } from './decide.ts'
import type { Fact } from './topic.ts'

/** Empty where the log tells of what was done as the model has it; `fact` is the first that it tells of the command. */
export function differenceOfFacts(command: Command, verdict: Verdict, answer: Answer, fact: Fact | undefined): string {
  if (verdict.code !== 'done' || verdict.isRepeated) return ''
  if (!fact) return 'it is done, and the log does not tell of it'
  if (command.kind === 'hold') return differenceOfHold(verdict, fact)
  return verdict.legs ? differenceOfEntry(command, verdict.legs, answer, fact) : ''
}

function differenceOfHold({ changes }: Verdict, { data: { amount } }: Fact): string {
  const held = changes.find((change) => change.of === 'hold')
  return held?.of === 'hold' && `${held.value.amount}` === amount ? '' : `${amount} is held`
}

function differenceOfEntry(
  command: Command,
  legs: NonNullable<Verdict['legs']>,
  answer: Answer,
  { data: { entry, postings = [], effectiveAt } }: Fact,
): string {
  const [booked, wanted] = [postings, legs].map((of) => of.map(textOf).join())
  if (booked !== wanted) return `booked is ${booked}, by the model ${wanted}`
  if ('entry' in answer && answer.entry !== entry) return `the answer names ${answer.entry}, the log ${entry}`
  const asked = 'body' in command && 'effective_at' in command.body ? command.body.effective_at : undefined
  if (asked !== undefined && Date.parse(asked) !== effectiveAt) return `effective at ${effectiveAt} instead of ${asked}`
  const [debited, , , credited] = legs
  const sides = `${debited?.amount} ${-(credited?.amount ?? 0n)}`
  const isOther = command.kind === 'conversion' && 'sides' in answer && answer.sides !== sides
  return isOther ? `converted ${answer.sides}, by the model ${sides}` : ''
}

function textOf({ account, amount, currency }: { account: string; amount: bigint | string; currency: string }): string {
  return `${account} ${amount} ${currency}`
}
