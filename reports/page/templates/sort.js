// A click on a column's head sorts each group of rows by it; a second click turns the order around.
document.querySelectorAll("th[scope=col] button").forEach(button => {
  button.addEventListener("click", () => {
    const head = button.parentElement, table = head.closest("table"), column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th[scope=col]").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => {
      const cell = row.cells[column], number = cell.dataset.sort ?? cell.textContent.replace("−", "-");
      return Number.isNaN(parseFloat(number)) ? null : parseFloat(number);
    };
    const compare = (a, b) => {
      const x = column ? key(a) : null, y = column ? key(b) : null;
      if (x === null && y === null) {
        const order = a.cells[column].textContent.localeCompare(b.cells[column].textContent);
        return down ? -order : order;
      }
      // Rows without a value stay at the end in either order.
      if (x === null || y === null) return x === null ? 1 : -1;
      return down ? y - x : x - y;
    };
    for (const body of table.tBodies) [...body.rows].sort(compare).forEach(row => body.append(row));
  });
});
