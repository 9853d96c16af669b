// Added to Formgrader's page of one submission.
"use strict";
window.addEventListener("load", function () {
  // What the server refuses, as somebody else was faster.
  $(document).ajaxError(function (event, answer) {
    if (answer.status === 409) { alert(JSON.parse(answer.responseText).message); }
  });

  // The page opens at the answer that its address names (…/#open_01_1), or else at the first one that waits for a
  // person, unless the address says where (?index=): Formgrader's own keys lead there.
  const named = location.hash.slice(1);
  const goesBy = new URLSearchParams(location.search).has("index") && !named;
  $(document).ajaxSuccess(function (event, answer, asked) {
    if (goesBy || !asked.url.includes("/api/grades?")) { return; }
    const waits = formgrader.grades.find(one => one.get("needs_manual_grade"));
    const wanted = document.getElementById(named || (waits ? waits.get("name") : ""));
    if (!wanted) { return; }
    formgrader.last_selected = $(wanted);  // where Formgrader goes once more when formulas are set
    $(wanted).focus();
    formgrader.scrollToLastSelected();
  });

  // A link to the next submission in which something waits, also over several that have nothing.
  const link = $("<a>", {href: "#", text: "next that waits for a person"}).on("click", function (event) {
    event.preventDefault();
    const lesson = formgrader.grades.at(0).get("assignment"), notebook = formgrader.grades.at(0).get("notebook");
    $.getJSON(base_url + "/api/submitted_notebooks/" + lesson + "/" + notebook, function (all) {
      const order = all.sort((a, b) => a.index - b.index);
      const here = order.findIndex(one => one.id === submission_id);
      const next = order.slice(here + 1).concat(order.slice(0, here)).find(one => one.needs_manual_grade);
      location.href = next
        ? base_url + "/submissions/" + next.id + "/"
        : base_url + "/gradebook/" + lesson + "/" + notebook;
    });
  });
  $("<div>", {css: {position: "fixed", right: "1em", bottom: "1em", "z-index": 1000, background: "#fff",
    border: "1px solid #ccc", padding: ".3em .6em"}}).append(link).appendTo("body");
});
