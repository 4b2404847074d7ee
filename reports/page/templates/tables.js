// Tables: sort by a click on a column's head, filter rows, choose columns, and copy what is shown.
(() => {
  document.documentElement.classList.add("js");
  const said = document.getElementById("said");
  const say = words => { said.textContent = words; };
  const latex = JSON.parse(document.getElementById("latex").textContent);

  const isShown = cell => !cell.classList.contains("off");
  const shownRows = body => body.hidden ? [] : [...body.rows].filter(row => !row.hidden);
  const textOf = cell => {
    if (cell.tagName === "TH") return cell.textContent;
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("sup").forEach(mark => mark.remove());
    return copy.textContent.replace(/\s+/g, " ").trim();
  };

  // Sorting: each group of rows by itself; a second click turns the order around.
  const sort = (table, head) => {
    const column = head.cellIndex, down = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th[scope=col]").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => {
      const cell = row.cells[column], number = cell.dataset.sort ?? cell.textContent.replace("−", "-");
      return Number.isNaN(parseFloat(number)) ? null : parseFloat(number);
    };
    const compare = (a, b) => {
      const x = column ? key(a) : null, y = column ? key(b) : null;
      if (x === null && y === null) {
        const order = a.cells[column].textContent.localeCompare(b.cells[column].textContent, "en", { numeric: true });
        return down ? -order : order;
      }
      // Rows without a value stay at the end in either order.
      if (x === null || y === null) return x === null ? 1 : -1;
      return down ? y - x : x - y;
    };
    for (const body of table.tBodies) [...body.rows].sort(compare).forEach(row => body.append(row));
    say(`Sorted by ${head.textContent.trim()}, ${down ? "descending" : "ascending"}.`);
  };

  // Filtering: rows that contain the text, of the chosen kind.
  const filter = (figure, text, kind) => {
    const words = text.trim().toLocaleLowerCase();
    let shown = 0, all = 0;
    for (const body of figure.querySelectorAll("tbody")) {
      body.hidden = Boolean(kind) && body.dataset.kind !== kind;
      for (const row of body.rows) {
        row.hidden = !row.textContent.toLocaleLowerCase().includes(words);
        all += 1;
        shown += !body.hidden && !row.hidden;
      }
    }
    const found = `${shown} of ${all} rows`;
    figure.querySelector(".found").textContent = shown < all ? found : "";
    say(`${found} shown.`);
  };

  // Columns: those of the chosen view, and what has to be said of them.
  const choose = (figure, view) => {
    const heads = [...figure.querySelectorAll("thead th")];
    const inView = part => !part.dataset.views || part.dataset.views.split(" ").includes(view);
    const shown = heads.map(inView);
    for (const row of figure.querySelectorAll("tr"))
      [...row.cells].forEach((cell, place) => cell.classList.toggle("off", !shown[place]));
    for (const note of figure.querySelectorAll("figcaption [data-views]")) note.classList.toggle("off", !inView(note));
    figure.querySelector("table").classList.toggle("wide", shown.filter(Boolean).length > 10);
    say(`${shown.filter(Boolean).length} columns shown.`);
  };

  // Copying: the rows and columns that are shown, in their order.
  const read = figure => {
    const heads = [...figure.querySelectorAll("thead th")].filter(isShown);
    const groups = [...figure.querySelectorAll("tbody")].map(body => shownRows(body).map(row => [...row.cells].filter(isShown)));
    return {
      name: figure.id.replace("table-", ""),
      title: figure.querySelector("h3").textContent,
      notes: [...figure.querySelectorAll("figcaption p")].filter(line => !line.closest(".off")).map(line => line.textContent),
      heads: heads.map(head => head.textContent),
      left: heads.map((head, place) => place === 0 || head.classList.contains("words")),
      groups: groups.filter(group => group.length),
    };
  };
  const marked = cell => cell.querySelector("sup")?.textContent ?? "";

  const markdownText = text => text.replace(/[\\|*_<>[\]`~$&]/g, "\\$&");
  const markdown = table => {
    const line = cells => `| ${cells.join(" | ")} |`;
    const cellText = cell => {
      const text = markdownText(textOf(cell));
      return `${cell.querySelector("strong") ? `**${text}**` : text} ${markdownText(marked(cell))}`.trimEnd();
    };
    const lines = [line(table.heads.map(markdownText)), line(table.left.map(left => left ? "---" : "---:"))];
    table.groups.forEach((group, place) => {
      if (place) lines.push(line(table.heads.map(() => " ")));
      group.forEach(cells => lines.push(line(cells.map(cellText))));
    });
    return `## ${markdownText(table.title)}\n\n${lines.join("\n")}\n\n${table.notes.map(markdownText).join("\n\n")}\n`;
  };

  const latexLetter = cluster => {
    if (latex.letters[cluster] || /^[\x00-\x7f]*$/.test(cluster)) return latex.letters[cluster] ?? cluster;
    const [base, ...marks] = cluster.normalize("NFD");
    if (/^[A-Za-z]$/.test(base) && marks.every(mark => latex.accents[mark]))
      return marks.reduce((inner, mark) => `\\${latex.accents[mark]}{${inner}}`, base);
    return [...cluster].map(letter => latex.letters[letter] ?? (letter.codePointAt(0) < 128 ? letter :
      `\\raterbenchletter{${letter}}{U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}}`)).join("");
  };
  const latexText = text =>
    text.normalize("NFC").match(/[^\u0300-\u036f]?[\u0300-\u036f]*/gu).map(latexLetter).join("").replace(/-(?=-)/g, "-{}");
  const latexTable = table => {
    const cellText = cell => {
      const text = latexText(textOf(cell));
      return (cell.querySelector("strong") ? `{\\bfseries\\boldmath ${text}}` : text) + latexText(marked(cell));
    };
    const line = cells => `${cells.join(" & ")} \\\\`;
    const body = table.groups.map(group => group.map(cells => line(cells.map(cellText))).join("\n")).join("\n\\midrule\n");
    const parts = {
      "{l}": `{${table.left.map(left => left ? "l" : "r").join("")}}`,
      "TITLE. CAPTION": latexText([`${table.title}.`, ...table.notes].join(" ")),
      "tab:NAME": `tab:${table.name}`,
      "HEAD \\\\": line(table.heads.map(latexText)),
      "BODY \\\\": body,
    };
    const text = Object.entries(parts).reduce((all, [old, made]) => all.replace(old, () => made), latex.frame);
    return text.includes("\\raterbenchletter") ? text.replace("\n", () => `\n${latex.lacking}\n`) : text;
  };

  // Numbers as they were computed; what a spreadsheet would take for a formula gets an apostrophe.
  const csv = table => {
    const field = text => {
      const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
      return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
    };
    const number = cell => cell.dataset.sort ?? textOf(cell).replace(/^−/, "-").replace(/^–$/, "");
    const rows = table.groups.flat().map(([name, ...cells]) => [name.textContent, ...cells.map(number)]);
    return [table.heads, ...rows].map(row => row.map(field).join(",")).join("\n") + "\n";
  };

  const put = async text => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const place = document.createElement("textarea");
      place.value = text;
      document.body.append(place);
      place.select();
      const done = document.execCommand("copy");
      place.remove();
      return done;
    }
  };
  const FORMS = { Markdown: markdown, LaTeX: latexTable, CSV: csv };

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  document.querySelectorAll("figure.table").forEach(figure => {
    const tools = figure.querySelector(".tools"), title = figure.querySelector("h3").textContent;
    const views = tools.querySelector(".views"), kinds = tools.querySelector(".kinds");
    const found = element("span", { className: "found" });
    if (figure.querySelectorAll("tbody tr").length > 5) {
      const text = element("input", { type: "search", placeholder: "any text", size: 12 });
      const apply = () => filter(figure, text.value, kinds?.value);
      text.addEventListener("input", apply);
      kinds?.addEventListener("change", apply);
      tools.append(element("label", {}, "Filter ", text));
    }
    views?.addEventListener("change", () => choose(figure, views.value));
    const copies = Object.entries(FORMS).map(([name, write]) => {
      const button = element("button", { type: "button" }, name);
      button.setAttribute("aria-label", `Copy ${title} as ${name}`);
      button.addEventListener("click", async () => {
        const copied = await put(write(read(figure)));
        say(copied ? `Copied as ${name}.` : `The browser did not allow copying: see tables/ beside this page.`);
        button.textContent = copied ? "Copied" : "Not allowed";
        setTimeout(() => { button.textContent = name; }, 1500);
      });
      return button;
    });
    tools.append(found, element("span", { className: "copy" }, "Copy as ", ...copies));
    tools.hidden = false;
    figure.querySelectorAll("th[scope=col] button").forEach(button =>
      button.addEventListener("click", () => sort(figure.querySelector("table"), button.parentElement)));
  });

  document.querySelectorAll("button[data-copies]").forEach(button => {
    button.closest(".tools").hidden = false;
    button.addEventListener("click", async () =>
      say(await put(document.getElementById(button.dataset.copies).textContent) ? "Copied." : "The browser did not allow copying."));
  });

  // Paper cannot unfold anything.
  const opened = [];
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open]):not(.raw)").forEach(part => {
    part.open = true;
    opened.push(part);
  }));
  addEventListener("afterprint", () => opened.splice(0).forEach(part => { part.open = false; }));
})();
