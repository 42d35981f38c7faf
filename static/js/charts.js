// Draws charts from JSON in the page with ECharts: as SVG, in the page's colours, in light and dark.
(() => {
  "use strict";
  const drawn = new Map();
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colours = () => [1, 2, 3, 4, 5, 6, 7, 8].map((each) => token(`--chart-${each}`));
  const tones = () => ({ good: token("--good"), bad: token("--bad"), muted: token("--ink-3") });
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

  const short = (data) => {
    const options = { notation: "compact", maximumFractionDigits: 1 };
    if (data.currency) Object.assign(options, { style: "currency", currency: data.currency, currencyDisplay: "narrowSymbol" });
    const format = new Intl.NumberFormat(document.documentElement.lang, options);
    return (value) => format.format(value) + (data.unit || "");
  };
  const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  const options = (data, width) => {
    const ink = token("--ink"), soft = token("--ink-3"), line = token("--line"), font = getComputedStyle(document.body).fontFamily;
    const kind = data.kind || "bar";
    const isLying = kind === "bar";
    const isStacked = data.is_stacked ?? isLying;
    const isNarrow = width < 480;
    const figures = { type: "value", axisLabel: { color: soft, formatter: short(data), hideOverlap: true }, splitLine: { lineStyle: { color: line } }, splitNumber: isNarrow ? 3 : 5 };
    const names = { type: "category", data: data.labels, inverse: isLying, axisLabel: { color: isLying ? ink : soft, formatter: (text) => clip(text, isNarrow ? 12 : 24), hideOverlap: !isLying }, axisTick: { show: false }, axisLine: { lineStyle: { color: line } }, triggerEvent: Boolean(data.links?.length) };
    return {
      color: colours(),
      animation: !calm,
      animationDuration: 250,
      textStyle: { fontFamily: font, color: ink },
      aria: { enabled: true, decal: { show: data.series.length > 1 && token("--chart-decals") === "on" } },
      legend: data.series.length > 1 ? { top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 8, itemGap: 14, textStyle: { color: ink, fontSize: 12 } } : undefined,
      grid: { top: data.series.length > 1 ? (isNarrow ? 52 : 32) : 10, right: 26, bottom: 4, left: 12, containLabel: true },
      tooltip: {
        trigger: "axis", renderMode: "richText", confine: true, axisPointer: { type: kind === "line" ? "line" : "shadow", shadowStyle: { color: token("--hover"), opacity: 0.6 } },
        backgroundColor: token("--raised"), borderColor: line, textStyle: { color: ink, fontSize: 12 },
        formatter: (points) => [points[0].name, ...points.map((point) => `${point.seriesName}: ${data.series[point.seriesIndex].texts?.[point.dataIndex] ?? point.value ?? "—"}`)].join("\n"),
      },
      xAxis: isLying ? figures : names,
      yAxis: isLying ? names : figures,
      series: data.series.map((each) => {
        const own = each.kind || kind;
        const colour = tones()[each.tone];
        return {
          name: each.name,
          type: own === "line" ? "line" : "bar",
          data: each.values.map((value) => (value === null ? null : Number(value))), // for drawing only
          stack: isStacked && own !== "line" ? "all" : undefined,
          barMaxWidth: 26,
          symbolSize: 5,
          showSymbol: data.labels.length < 40,
          lineStyle: own === "line" ? { width: 2, color: colour } : undefined,
          itemStyle: { color: colour, borderRadius: isStacked ? 0 : 2 },
          emphasis: { disabled: true },
        };
      }),
    };
  };

  const draw = (box) => {
    const source = document.getElementById(box.dataset.chart);
    if (!source || !window.echarts) return;
    const data = JSON.parse(source.textContent);
    drawn.get(box)?.dispose();
    if ((data.kind || "bar") === "bar" && !box.classList.contains("chart-fixed")) box.style.height = `${Math.max(9, 3.5 + data.labels.length * 1.9)}rem`;
    const chart = window.echarts.init(box, null, { renderer: "svg", locale: document.documentElement.lang.startsWith("zh") ? "ZH" : "EN" });
    chart.setOption(options(data, box.clientWidth));
    if (data.links?.length) chart.on("click", (event) => { const link = data.links[event.dataIndex]; if (link) window.location.assign(link); });
    drawn.set(box, chart);
    resized.observe(box);
  };
  const resized = new ResizeObserver((entries) => { for (const { target } of entries) drawn.get(target)?.resize(); });
  const all = (from) => { for (const box of from.querySelectorAll?.("[data-chart]") ?? []) if (!drawn.has(box)) draw(box); };
  const tidy = () => { for (const [box, chart] of drawn) if (!box.isConnected) { chart.dispose(); resized.unobserve(box); drawn.delete(box); } };
  all(document);
  document.addEventListener("portal:theme", () => { for (const box of [...drawn.keys()]) draw(box); });
  document.addEventListener("htmx:afterSettle", (event) => { tidy(); all(event.detail.elt.parentElement || document); });
  window.portalCharts = { draw };
})();
