/** Why the model refuses a command: the code, and what is said beside it. */
export class Refused extends Error {
  readonly code: string
  readonly members: Readonly<Record<string, string>>
  constructor(code: string, members: Readonly<Record<string, string | bigint>>) {
    super(code)
    this.code = code
    this.members = Object.fromEntries(Object.entries(members).map(([name, value]) => [name, `${value}`]))
  }
}
