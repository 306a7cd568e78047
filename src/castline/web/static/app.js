// What JavaScript adds: a chart to point at, names of countries, filters without a reload, a switch for the colours.
// Everything is there without it.
(function () {
  "use strict";

  var themes = ["system", "light", "dark"];
  var words = { system: "as the system has them", light: "light", dark: "dark" };
  var chart = null;

  function currentTheme() {
    return document.documentElement.dataset.theme || "system";
  }

  function applyTheme(theme) {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      if (theme === "system") localStorage.removeItem("castline-theme");
      else localStorage.setItem("castline-theme", theme);
    } catch (error) {
      // Then it lasts as long as the page.
    }
    nameTheme();
    drawChart();
  }

  function nameTheme() {
    var button = document.getElementById("theme");
    if (!button) return;
    var text = "Colours: " + words[currentTheme()];
    button.hidden = false;
    button.setAttribute("aria-label", text);
    button.title = text;
  }

  // The canvas knows no light-dark(): an element that wears the colour tells which of the two it is.
  function colour(name) {
    var probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "var(" + name + ")";
    var found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function readDays(box) {
    var days = (box.dataset.days || "").trim().split(/\s+/).filter(Boolean).map(function (item) {
      var parts = item.split(":");
      return [Date.parse(parts[0] + "T00:00:00Z") / 1000, parts[1] ? Number(parts[1]) : null];
    });
    var before = (box.dataset.before || "").trim().split(/\s+/).filter(Boolean).map(function (item) {
      return item === "-" ? null : Number(item);
    });
    return { days: days, before: before };
  }

  function readMarks(box) {
    return (box.dataset.marks || "").trim().split(/\s+/).filter(Boolean);
  }

  // A dashed line at each noted day, and above it the number of its note where there is room for it; the list below
  // the chart tells what it is. Through more than twenty lines nobody sees the curve, so these are ticks.
  function drawMarks(u, box, text, font) {
    var marks = readMarks(box), seen = {}, freeFrom = 0;
    var days = new Set(marks.map(function (item) { return item.split("|")[0]; })).size;
    marks.forEach(function (item) {
      var parts = item.split("|"), x = u.valToPos(Date.parse(parts[0] + "T00:00:00Z") / 1000, "x", true);
      var first = !seen[parts[0]], ratio = u.pxRatio || 1;
      seen[parts[0]] = true;
      if (!first) return;
      u.ctx.save();
      u.ctx.strokeStyle = u.ctx.fillStyle = text;
      u.ctx.setLineDash([2 * ratio, 3 * ratio]);
      u.ctx.beginPath();
      u.ctx.moveTo(x, u.bbox.top);
      u.ctx.lineTo(x, u.bbox.top + (days > 20 ? 6 * ratio : u.bbox.height));
      u.ctx.stroke();
      u.ctx.font = font.replace("12px", 12 * ratio + "px");
      u.ctx.textAlign = "center";
      var reach = u.ctx.measureText(parts[1]).width / 2 + 3 * ratio;
      if (x - reach >= freeFrom) {
        u.ctx.fillText(parts[1], x, u.bbox.top - 5 * ratio);
        freeFrom = x + reach;
      }
      u.ctx.restore();
    });
  }

  function drawChart() {
    var box = document.getElementById("daily");
    if (chart) { chart.destroy(); chart = null; }
    if (!box || typeof uPlot === "undefined") return;
    var read = readDays(box);
    if (read.days.length < 2) return;
    var data = [read.days.map(function (d) { return d[0]; }), read.days.map(function (d) { return d[1]; })];
    var text = colour("--faint"), grid = colour("--line"), accent = colour("--accent");
    var font = "12px " + getComputedStyle(document.body).fontFamily;
    var series = [
      { label: "Day", value: function (u, at) { return at == null ? "" : new Date(at * 1000).toISOString().slice(0, 10); } },
      { label: "Downloads", stroke: accent, fill: colour("--accent-wash"), width: 2, points: { show: read.days.length < 32, size: 5, fill: accent } }
    ];
    if (read.before.length === read.days.length) {
      data.push(read.before);
      series.push({ label: "Before", stroke: text, width: 1.5, dash: [4, 4], points: { show: false } });
    }
    Array.prototype.forEach.call(box.querySelectorAll("svg.chart"), function (svg) { svg.setAttribute("hidden", ""); });
    box.classList.add("live");
    var axis = { stroke: text, font: font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    chart = new uPlot({
      width: box.clientWidth, height: 260, padding: [readMarks(box).length ? 22 : null, null, null, null], series: series, tzDate: function (at) { return uPlot.tzDate(new Date(at * 1000), "Etc/UTC"); },
      scales: { y: { range: function (u, low, high) { return [0, Math.max(4, high * 1.08)]; } } },
      hooks: { draw: [function (u) { drawMarks(u, box, text, font); }] },
      legend: { live: true }, cursor: { y: false, drag: { x: false, y: false } },
      axes: [
        Object.assign({}, axis, { grid: { show: false }, values: function (u, at) { return at.map(function (t) { return new Date(t * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }); }); }, incrs: [1, 2, 7, 14, 28, 91].map(function (n) { return n * 86400; }), space: 64 }),
        Object.assign({}, axis, { size: 56, incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1e3, 2e3, 2500, 5e3, 1e4, 2e4, 25e3, 5e4, 1e5, 25e4, 5e5, 1e6], values: function (u, at) { return at.map(function (n) { return n.toLocaleString("en-GB"); }); } })
      ]
    }, data, box);
    chart.root.setAttribute("aria-hidden", "true");
  }

  function listZones() {
    var list = document.getElementById("zones");
    if (!list || list.options.length || !Intl.supportedValuesOf) return;
    var own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    ["UTC", own].concat(Intl.supportedValuesOf("timeZone")).filter(function (zone, place, all) {
      return all.indexOf(zone) === place;
    }).forEach(function (zone) {
      var option = document.createElement("option");
      option.value = zone;
      list.appendChild(option);
    });
  }

  function ready() {
    nameTheme();
    listZones();
    drawChart();
    if (typeof htmx === "undefined") return;
    Array.prototype.forEach.call(document.querySelectorAll("[data-swap]"), function (link) {
      addSwap(link, link.getAttribute("href"));
    });
    Array.prototype.forEach.call(document.querySelectorAll("form[data-filters]"), function (form) {
      addSwap(form, form.getAttribute("action"));
    });
  }

  function addSwap(item, address) {
    if (item.hasAttribute("hx-get")) return;
    item.setAttribute("hx-get", address);
    item.setAttribute("hx-target", "#board");
    item.setAttribute("hx-select", "#board");
    item.setAttribute("hx-swap", "outerHTML");
    item.setAttribute("hx-push-url", "true");
    htmx.process(item);
  }

  document.addEventListener("click", function (event) {
    if (event.target.closest && event.target.closest("#theme")) {
      applyTheme(themes[(themes.indexOf(currentTheme()) + 1) % themes.length]);
    }
  });
  document.addEventListener("htmx:after:swap", ready);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawChart);
  var resizing;
  addEventListener("resize", function () { clearTimeout(resizing); resizing = setTimeout(drawChart, 120); });
  ready();
})();
