/** A run of 13 to 19 digits that passes the Luhn check (ISO/IEC 7812-1, annex B). */
export function containsCardNumber(text: string): boolean {
  return (text.match(/\d{13,}/g) ?? []).some((run) => {
    for (let from = 0; from + 13 <= run.length; from++) {
      for (let length = 13; length <= 19 && from + length <= run.length; length++) {
        if (passesLuhn(run.slice(from, from + length))) return true
      }
    }
    return false
  })
}

function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place])
    const doubled = place % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
