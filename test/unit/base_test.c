/*
 * base_test.c - the building blocks, table by table.
 *
 * Expected decimals were worked out with Python's decimal (ROUND_HALF_UP), integers with Python's
 * own, dates with its datetime and calendar: none of them is output of the code under test.
 */
#include "base/base.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Compares and names the row that failed. */
#define CHECK_TEXT(row, got, want)                                                                 \
    do {                                                                                           \
        fa_str g_ = (got);                                                                         \
        if (!fa_str_eqz(g_, (want)))                                                               \
            fail_msg("%s: got \"%.*s\", want \"%s\"", (row), FA_FMT(g_), (want));                  \
    } while (0)

static fa_i128 i128_of(const char *z)
{
    bool negative = *z == '-';
    fa_u128 v = 0;

    for (z += negative; *z; z++)
        v = v * 10 + (unsigned)(*z - '0');
    return negative ? -(fa_i128)v : (fa_i128)v;
}

static void test_dec_parse(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        const char *out; /* at 18 places */
        bool rounded;
    } t[] = {
        /* expected values: python3 decimal, ROUND_HALF_UP at 1e-18 */
        {"0", true, "0.000000000000000000", false},
        {"-0", true, "0.000000000000000000", false},
        {"1", true, "1.000000000000000000", false},
        {"-1", true, "-1.000000000000000000", false},
        {"+1", true, "1.000000000000000000", false},
        {".5", true, "0.500000000000000000", false},
        {"5.", true, "5.000000000000000000", false},
        {"0.1", true, "0.100000000000000000", false},
        {"-0.000000000000000001", true, "-0.000000000000000001", false},
        {"0.0000000000000000005", true, "0.000000000000000001", true},
        {"-0.0000000000000000005", true, "-0.000000000000000001", true},
        {"0.00000000000000000049", true, "0.000000000000000000", true},
        {"0.0000000000000000015", true, "0.000000000000000002", true},
        {"0.00000000000000000150", true, "0.000000000000000002", true},
        {"1e3", true, "1000.000000000000000000", false},
        {"1E+3", true, "1000.000000000000000000", false},
        {"35.2E-7", true, "0.000003520000000000", false},
        {"-1.25e-18", true, "-0.000000000000000001", true},
        {"1e-19", true, "0.000000000000000000", true},
        {"5e-19", true, "0.000000000000000001", true},
        {"9.9e19", true, "99000000000000000000.000000000000000000", false},
        {"1e20", false, NULL, false},
        {"-1e20", false, NULL, false},
        {"99999999999999999999.999999999999999999", true, "99999999999999999999.999999999999999999",
         false},
        {"99999999999999999999.9999999999999999994", true,
         "99999999999999999999.999999999999999999", true},
        {"99999999999999999999.9999999999999999995", false, NULL, false},
        {"100000000000000000000", false, NULL, false},
        {"0e999999999999", true, "0.000000000000000000", false},
        {"1e-999999999999", true, "0.000000000000000000", true},
        {"1e999999999999", false, NULL, false},
        {"000000000000000000000000000000000000000000012.50", true, "12.500000000000000000", false},
        {"123456789012345678", true, "123456789012345678.000000000000000000", false},
        {"1234567890123456789", true, "1234567890123456789.000000000000000000", false},
        {"0.123456789012345678", true, "0.123456789012345678", false},
        {"0.1234567890123456789", true, "0.123456789012345679", true},
        {"12345678901.123456789012345678901234567890", true, "12345678901.123456789012345679",
         true},
        {"0.00E-30", true, "0.000000000000000000", false},
        {"1.000000000000000000000000000000000000", true, "1.000000000000000000", false},
        {"60181590830.166131860913909960308246281948", true, "60181590830.166131860913909960",
         true},
        {"518190.937", true, "518190.937000000000000000", false},
        {"-79754323194875.749118625276018955597971", true, "-79754323194875.749118625276018956",
         true},
        {"049746507.529170342366712", true, "49746507.529170342366712000", false},
        {"684656321223307924.40268599e-16", true, "68.465632122330792440", true},
        {"78666617603137215901.09281590139624595711", true,
         "78666617603137215901.092815901396245957", true},
        {"-412154728038528.084148525388853", true, "-412154728038528.084148525388853000", false},
        {"6338750.0474395755131373537990751", true, "6338750.047439575513137354", true},
        {"-3726.51676122202972997528820018263", true, "-3726.516761222029729975", true},
        {"-3483954", true, "-3483954.000000000000000000", false},
        {"-79868.2", true, "-79868.200000000000000000", false},
        {"72902227918058887.1803340187801759", true, "72902227918058887.180334018780175900", false},
        {"47887838483726167513.6134125242731672", true, "47887838483726167513.613412524273167200",
         false},
        {"-86563551.50587", true, "-86563551.505870000000000000", false},
        {"-8.948113114402e+21", false, NULL, false},
        {"889751402.614014193141", true, "889751402.614014193141000000", false},
        {"-49208312402.34483478245040008", true, "-49208312402.344834782450400080", false},
        {"-3716786.8433532650201462E-21", true, "-0.000000000000003717", true},
        {"4072247045.5853043520561748338", true, "4072247045.585304352056174834", true},
        {"269.06044319", true, "269.060443190000000000", false},
        {"-57249.208682889093100251678e-17", true, "-0.000000000000572492", true},
        {"-07188181.741433377617409", true, "-7188181.741433377617409000", false},
        {"5449920.70", true, "5449920.700000000000000000", false},
        {"7484.7771834170471874633191E+4", true, "74847771.834170471874633191", false},
        {"-15377602077642656515.05561304451669156404104234", true,
         "-15377602077642656515.055613044516691564", true},
        {"-60688310679.247082E+9", true, "-60688310679247082000.000000000000000000", false},
        {"-6347861221.38783757", true, "-6347861221.387837570000000000", false},
        {"125815354930666836.450749", true, "125815354930666836.450749000000000000", false},
        {"14366.764020679701687731322", true, "14366.764020679701687731", true},
        {"-1800.239042486111489364390084745378e13", true, "-18002390424861114.893643900847453780",
         false},
        {"3761436537.0", true, "3761436537.000000000000000000", false},
        {"-30481373433734.41979237609E6", true, "-30481373433734419792.376090000000000000", false},
        {"6.0026751125328704655", true, "6.002675112532870466", true},
        {"4156", true, "4156.000000000000000000", false},
        {"6546.10735873557063606e8", true, "654610735873.557063606000000000", false},
        {"9554590.45440910317764672720429E+11", true, "955459045440910317.764672720429000000",
         false},
        {"62361078852611491316.77e+14", false, NULL, false},
        {"81444945443732332493.5164388317010737504310399315", true,
         "81444945443732332493.516438831701073750", true},
        {"-019953.05520340930565E6", true, "-19953055203.409305650000000000", false},
        {"-87.1616828126464460495660536", true, "-87.161682812646446050", true},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_i128 v = 0;
        bool rounded = false, ok = fa_dec_parse(fa_str_of(t[i].in), false, &v, &rounded);

        if (ok != t[i].ok)
            fail_msg("%s: got %d", t[i].in, ok);
        if (!ok)
            continue;
        fa_buf_clear(&b);
        fa_dec_emit(&b, v, 18, 18);
        CHECK_TEXT(t[i].in, fa_buf_view(&b), t[i].out);
        if (rounded != t[i].rounded)
            fail_msg("%s: rounded is %d", t[i].in, rounded);
    }
    fa_buf_release(&b);
}

static void test_dec_parse_shape(void **state)
{
    static const struct {
        const char *in;
        bool strict, loose;
        const char *out;
    } t[] = {
        {"-1,234.50", false, true, "-1234.5"},
        {"$10.00 ", false, true, "10"},
        {" 10.00 ", true, true, "10"},
        {"-$10.25", false, true, "-10.25"},
        {"$-10.25", false, true, "-10.25"},
        {"\xe2\x82\xac 7", false, true, "7"},
        {"12,345,678.9", false, true, "12345678.9"},
        {"1,5", false, false, ""},
        {"1,23", false, false, ""},
        {"1,2345", false, false, ""},
        {"1234,567", false, false, ""},
        {",123", false, false, ""},
        {"1,,234", false, false, ""},
        {"1.000,5", false, false, ""},
        {"(none)", false, false, ""},
        {"", false, false, ""},
        {" ", false, false, ""},
        {".", false, false, ""},
        {"-", false, false, ""},
        {"+-1", false, false, ""},
        {"1-", false, false, ""},
        {"1e", false, false, ""},
        {"1e+", false, false, ""},
        {"e5", false, false, ""},
        {"1 2", false, false, ""},
        {"0x10", false, false, ""},
        {"NaN", false, false, ""},
        {"Infinity", false, false, ""},
        {"1.2.3", false, false, ""},
        {"$$1", false, false, ""},
        {"--1", false, false, ""},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_i128 v = 0;

        if (fa_dec_parse(fa_str_of(t[i].in), false, &v, NULL) != t[i].strict)
            fail_msg("strict \"%s\"", t[i].in);
        if (fa_dec_parse(fa_str_of(t[i].in), true, &v, NULL) != t[i].loose)
            fail_msg("loose \"%s\"", t[i].in);
        if (!t[i].loose)
            continue;
        fa_buf_clear(&b);
        fa_dec_emit(&b, v, 18, 0);
        CHECK_TEXT(t[i].in, fa_buf_view(&b), t[i].out);
    }
    fa_buf_release(&b);
}

static void test_dec_emit(void **state)
{
    static const struct {
        const char *v;
        int scale, min;
        const char *out;
    } t[] = {
        {"0", 18, 0, "0"},
        {"0", 18, 2, "0.00"},
        {"0", 0, 0, "0"},
        {"5", 0, 2, "5.00"},
        {"-5", 1, 0, "-0.5"},
        {"-5", 1, 2, "-0.50"},
        {"100", 2, 0, "1"},
        {"100", 2, 1, "1.0"},
        {"101", 2, 0, "1.01"},
        {"-100", 10, 2, "-0.00000001"},
        {"12345678901234567890", 18, 2, "12.34567890123456789"},
        {"-99999999999999999999999999999999999999", 18, 0,
         "-99999999999999999999.999999999999999999"},
        {"170141183460469231731687303715884105727", 0, 0,
         "170141183460469231731687303715884105727"},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_buf_clear(&b);
        fa_dec_emit(&b, i128_of(t[i].v), t[i].scale, t[i].min);
        CHECK_TEXT(t[i].v, fa_buf_view(&b), t[i].out);
    }
    fa_buf_release(&b);
}

static void test_dec_round(void **state)
{
    static const struct {
        const char *in;
        int places;
        const char *out;
    } t[] = {
        {"-89158.650000000000000000", 1, "-89158.7"},
        {"12940390172.100000000000000000", 1, "12940390172.1"},
        {"-116931867376.207193810610651692", 10, "-116931867376.2071938106"},
        {"940338078556.839447475485530386", 0, "940338078557"},
        {"-8880.655000000000000000", 2, "-8880.66"},
        {"814659331507.685576624009189714", 10, "814659331507.6855766240"},
        {"522929688705.459109111494597978", 10, "522929688705.4591091115"},
        {"-0.000000000000000089", 18, "-0.000000000000000089"},
        {"-733856149000.172351908941463459", 8, "-733856149000.17235191"},
        {"-457754157401.000000000000000000", 0, "-457754157401"},
        {"191165485299.000000000000000000", 0, "191165485299"},
        {"-7.173648470400000000", 10, "-7.1736484704"},
        {"17861236.634550000000000000", 4, "17861236.6346"},
        {"950484481069.922114048610187433", 1, "950484481069.9"},
        {"-0.000000000000000067", 18, "-0.000000000000000067"},
        {"172757604300.810463557460585268", 4, "172757604300.8105"},
        {"-886198.500000000000000000", 0, "-886199"},
        {"-86.078950000000000000", 4, "-86.0790"},
        {"-515948565613.747293477965992620", 10, "-515948565613.7472934780"},
        {"-0.000026411450000000", 10, "-0.0000264115"},
        {"287787341065.799840305365045535", 18, "287787341065.799840305365045535"},
        {"-405312859764.687797193085858924", 8, "-405312859764.68779719"},
        {"19803649226.200000000000000000", 1, "19803649226.2"},
        {"467420649622.775677797017474632", 18, "467420649622.775677797017474632"},
        {"-2262.675000000000000000", 2, "-2262.68"},
        {"-62931.550000000000000000", 1, "-62931.6"},
        {"0.000094712050000000", 10, "0.0000947121"},
        {"-3897.885000000000000000", 2, "-3897.89"},
        {"-44.653722966550000000", 10, "-44.6537229666"},
        {"-49773570819.750000000000000000", 1, "-49773570819.8"},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_i128 v = 0;

        assert_true(fa_dec_parse(fa_str_of(t[i].in), false, &v, NULL));
        fa_buf_clear(&b);
        fa_dec_emit(&b, fa_dec_round(v, t[i].places), t[i].places, t[i].places);
        CHECK_TEXT(t[i].in, fa_buf_view(&b), t[i].out);
    }
    fa_buf_release(&b);
}

static void test_dec_muldiv(void **state)
{
    static const struct {
        const char *a, *b, *c, *out;
    } t[] = {
        {"1202543204355992977013754178", "-1023", "2", "-615100849028090407742535262047"},
        {"654264", "-372", "4", "-60846552"},
        {"-221216", "957488658464500199", "2712356202690692531796156331786054707", "-1"},
        {"-369442250823022113530518121", "46", "2", "-8497171768929508611201916783"},
        {"358680", "81328815788201547512805962349186070", "4002861050711562451",
         "7287542404632453961070"},
        {"-336511", "-399207370758375726", "13", "10333667041636290302460"},
        {"-329060", "-914", "4", "75190210"},
        {"-1010559376028924533", "-850", "2797345024088651929109011227012310992", "0"},
        {"662756815215773831329496952", "-182", "4", "-30155435092317709325492111316"},
        {"860444528156291665608513004", "-561006384723484020", "16792700934935730017",
         "-28745517225988322782771371"},
        {"-1163083495607360865885280103086267138", "1246660789836362050330962846074340929",
         "9212049994853170236923362303194261233", "-157399340004626227190361730157768572"},
        {"155649", "664854461477851045", "1", "103483932074566037303205"},
        {"1195771300606864968827442032", "-406250120704785283523791419441968033",
         "6758661236987177270706092554468002941", "-71875511757918075065655133"},
        {"1229599311329893884701511880", "-693", "14516354129853309535", "-58700160876"},
        {"972641527721672507", "926433208669409437694105338376626526",
         "19700525824946109872003659843994050680", "45739256881726927"},
        {"-575223316448338622267835097685908964", "1143211508945349798016047181134714651",
         "7720366958441793431570436173260768491", "-85177546497113378003281919146007633"},
        {"855229", "-701590511179411608", "14432327620233112605", "-41575"},
        {"1073340383816039062", "-396481454918556898", "13",
         "-32735350538325034559903568572119206"},
        {"-992757", "969715508114487770", "12909265843480488208609152586454490198", "-1"},
        {"-454418655274556043525586922938848314", "-233", "15055848039515550579",
         "7032453196995632404"},
        {"238978829337948156", "823154922725026370", "12895369596488444099699724755625595183", "0"},
        {"-81003640414396422722806049", "480862602085629325", "9860185492613180302",
         "-3950394375162227944547765"},
        {"197315", "491376933454141682", "18655392246662154372566139978716814670", "0"},
        {"-551876", "1029521094721907758", "1078294693590391911", "-526914"},
        {"-962343", "-1079397594693072488649785076393394172",
         "14402729851022565492538601504933950770", "72121"},
        {"487203", "-181122632424449570", "6307962596274771149", "-13990"},
        {"7", "1", "2", "3"},
        {"-7", "1", "2", "-4"},
        {"-7", "-1", "2", "3"},
        {"0", "5", "3", "0"},
        {"10000000000000000000000000000000000000", "10000000000000000000000000000000000000",
         "10000000000000000000000000000000000000", "10000000000000000000000000000000000000"},
        {"-10000000000000000000000000000000000000", "9999999999999999999999999999999999999",
         "10000000000000000000000000000000000000", "-9999999999999999999999999999999999999"},
        {"1", "-1", "3", "-1"},
        {"-6", "1", "2", "-3"},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_buf_clear(&b);
        fa_dec_emit(&b, fa_dec_muldiv(i128_of(t[i].a), i128_of(t[i].b), i128_of(t[i].c)), 0, 0);
        CHECK_TEXT(t[i].a, fa_buf_view(&b), t[i].out);
    }
    fa_buf_release(&b);
}

/* expected values: Python's integers */
static void test_dec_divide(void **state)
{
    static const struct {
        const char *a, *b, *c, *quotient, *rest;
    } t[] = {
        {"170141183460469231731687303715884105727", "170141183460469231731687303715884105727",
         "170141183460469231731687303715884105728", "170141183460469231731687303715884105726", "1"},
        {"340282366920938463463374607431768211455", "340282366920938463463374607431768211455",
         "340282366920938463463374607431768211455", "340282366920938463463374607431768211455", "0"},
        {"100000000000000000000000000000000000000", "1000000000000000000000000000",
         "100000000000000000000000000000000000001", "999999999999999999999999999",
         "99999999999000000000000000000000000001"},
        {"170141183460469231731687303715884105733", "3", "170141183460469231731687303715884105732",
         "3", "3"},
        {"7", "9", "10", "6", "3"},
        {"18446744073709551616", "18446744073709551616", "18446744073709551617",
         "18446744073709551615", "1"},
        {"340282366920938463463374607431768211455", "18446744073709551615",
         "170141183460469231731687303715884105728", "36893488147419103229",
         "170141183460469231713240559642174554113"},
        {"7042581856234248131259302277482258861", "51518710931947261953841958535377663142",
         "11095144405162490310149873762141159421", "32701218264188528914209892113977128990",
         "2782300792849959159967996450231886472"},
        {"16311783854392668199835402646988326468", "46020968464295098947293507553205589110",
         "39917872997546375273006953309308647973", "18805713681326284730616905192110135058",
         "13394127142883932501705811322537626046"},
        {"19729741921426592431273150119686043690", "78761371561879642647710341167808133759",
         "33784473097073188340521133975579809397", "45995730933216592851631935076758123647",
         "27787969960828151527859885405419419851"},
        {"674828223450123085419296709671490926", "3640088218263550028199629170197356690",
         "1288541857760663665643100757319169073", "1906367457710309283930488889644162391",
         "217728494516575050341011259323461397"},
        {"50595693205083566141979478567127560544", "32974091592405807819136376505058514976",
         "70061630176049587503813909699094372511", "23812563563444037558706494400377215719",
         "24512005257903493335134206538580006535"},
        {"12758442728466008517736073218986025418", "11412144316433011159952459975808429938",
         "36319603675303957157179285531918413961", "4008887072994221175839119270614344261",
         "31462548645696349917639439094377536263"},
    };
    fa_u128 q, r;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        assert_true(fa_dec_divide((fa_u128)i128_of(t[i].a), (fa_u128)i128_of(t[i].b),
                                  (fa_u128)i128_of(t[i].c), &q, &r));
        if (q != (fa_u128)i128_of(t[i].quotient) || r != (fa_u128)i128_of(t[i].rest))
            fail_msg("row %zu", i);
    }
    assert_false(fa_dec_divide((fa_u128)1 << 127, 4, 2, &q, &r));
}

/* Records as "line:cell|cell;" */
static void csv_text(const char *in, fa_buf *out, fa_rc *rc, fa_err *e)
{
    fa_csv c;
    bool more = true;

    fa_csv_init(&c, fa_str_of(in));
    while (!(*rc = fa_csv_next(&c, &more, e)) && more) {
        fa_buf_fmt(out, "%lld:", (long long)c.line);
        for (size_t i = 0; i < c.n; i++)
            fa_buf_fmt(out, "%s%.*s", i ? "|" : "", FA_FMT(c.cell[i]));
        fa_buf_c(out, ';');
    }
    fa_csv_release(&c);
}

static void test_csv(void **state)
{
    static const struct {
        const char *name, *in, *want;
    } t[] = {
        {"empty", "", ""},
        {"one cell", "a", "1:a;"},
        {"plain", "a,b\n1,2\n", "1:a|b;2:1|2;"},
        {"byte order mark, CRLF",
         "\xef\xbb\xbf"
         "a,b\r\n1,2\r\n",
         "1:a|b;2:1|2;"},
        {"empty cells", ",\n,,x\n", "1:|;2:||x;"},
        {"blank lines", "\n\na\n\r\n\nb", "3:a;6:b;"},
        {"quotes", "\"a,b\",\"c\"\"d\"\n\"\"\"\"", "1:a,b|c\"d;2:\";"},
        {"a break in a cell", "\"a\nb\",c\nd", "1:a\nb|c;3:d;"},
        {"a quote inside", "a\"b,c", "1:a\"b|c;"},
        {"ends with a comma", "a,", "1:a|;"},
        {"a lone CR stays", "a\rb,c", "1:a\rb|c;"},
        {"spaces stay", " a , b ", "1: a | b ;"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_buf out;
        fa_err e = {0};
        fa_rc rc;

        fa_buf_init(&out, 0);
        csv_text(t[i].in, &out, &rc, &e);
        assert_int_equal(rc, FA_OK);
        CHECK_TEXT(t[i].name, fa_buf_view(&out), t[i].want);
        fa_buf_release(&out);
    }
}

static void test_csv_refused(void **state)
{
    static const char *const in[] = {"a\n\"b", "a\nb,\"c\"d\n"};
    static const char *const want[] = {"line 2 opens a quote that is not closed",
                                       "line 2 has text behind a closing quote"};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(in); i++) {
        fa_buf out;
        fa_err e = {0};
        fa_rc rc;

        fa_buf_init(&out, 0);
        csv_text(in[i], &out, &rc, &e);
        assert_int_equal(rc, FA_EDATA);
        assert_string_equal(e.msg, want[i]);
        fa_buf_release(&out);
    }
}

static void test_days(void **state)
{
    static const fa_bucket kinds[4] = {FA_WEEK, FA_MONTH, FA_QUARTER, FA_YEAR};
    static const struct {
        const char *text;
        int32_t day;
        int32_t first[4], next[4]; /* week, month, quarter, year */
    } t[] = {
        {"1970-01-01", 0, {-3, 0, 0, 0}, {4, 31, 90, 365}},
        {"1969-12-31", -1, {-3, -31, -92, -365}, {4, 0, 0, 0}},
        {"2000-02-29", 11016, {11015, 10988, 10957, 10957}, {11022, 11017, 11048, 11323}},
        {"1900-02-28", -25509, {-25511, -25536, -25567, -25567}, {-25504, -25508, -25477, -25202}},
        {"1900-03-01", -25508, {-25511, -25508, -25567, -25567}, {-25504, -25477, -25477, -25202}},
        {"2024-02-29", 19782, {19779, 19754, 19723, 19723}, {19786, 19783, 19814, 20089}},
        {"2023-12-31", 19722, {19716, 19692, 19631, 19358}, {19723, 19723, 19723, 19723}},
        {"2024-12-30", 20087, {20087, 20058, 19997, 19723}, {20094, 20089, 20089, 20089}},
        {"2025-01-01", 20089, {20087, 20089, 20089, 20089}, {20094, 20120, 20179, 20454}},
        {"2026-01-01", 20454, {20451, 20454, 20454, 20454}, {20458, 20485, 20544, 20819}},
        {"2027-01-03", 20821, {20815, 20819, 20819, 20819}, {20822, 20850, 20909, 21184}},
        {"2021-01-03", 18630, {18624, 18628, 18628, 18628}, {18631, 18659, 18718, 18993}},
        {"2020-12-31", 18627, {18624, 18597, 18536, 18262}, {18631, 18628, 18628, 18628}},
        {"2026-11-23", 20780, {20780, 20758, 20727, 20454}, {20787, 20788, 20819, 20819}},
        {"0001-01-01",
         -719162,
         {-719162, -719162, -719162, -719162},
         {-719155, -719131, -719072, -718797}},
        {"9999-12-20",
         2932885,
         {2932885, 2932866, 2932805, 2932532},
         {2932892, 2932897, 2932897, 2932897}},
        {"2100-02-28", 47540, {47534, 47513, 47482, 47482}, {47541, 47541, 47572, 47847}},
        {"2100-03-01", 47541, {47541, 47541, 47482, 47482}, {47548, 47572, 47572, 47847}},
        {"2400-02-29", 157113, {157112, 157085, 157054, 157054}, {157119, 157114, 157145, 157420}},
        {"2012-07-27", 15548, {15544, 15522, 15522, 15340}, {15551, 15553, 15614, 15706}},
        {"2039-09-15", 25459, {25456, 25445, 25383, 25202}, {25463, 25475, 25475, 25567}},
        {"1994-09-24", 9032, {9027, 9009, 8947, 8766}, {9034, 9039, 9039, 9131}},
        {"2015-12-10", 16779, {16776, 16770, 16709, 16436}, {16783, 16801, 16801, 16801}},
        {"2016-04-11", 16902, {16902, 16892, 16892, 16801}, {16909, 16922, 16983, 17167}},
        {"2021-11-12", 18943, {18939, 18932, 18901, 18628}, {18946, 18962, 18993, 18993}},
        {"2034-04-18", 23483, {23482, 23466, 23466, 23376}, {23489, 23496, 23557, 23741}},
        {"2026-03-22", 20534, {20528, 20513, 20454, 20454}, {20535, 20544, 20544, 20819}},
        {"2019-12-10", 18240, {18239, 18231, 18170, 17897}, {18246, 18262, 18262, 18262}},
        {"2035-03-12", 23811, {23811, 23800, 23741, 23741}, {23818, 23831, 23831, 24106}},
        {"2014-05-17", 16207, {16202, 16191, 16161, 16071}, {16209, 16222, 16252, 16436}},
        {"2035-06-08", 23899, {23895, 23892, 23831, 23741}, {23902, 23922, 23922, 24106}},
        {"2020-12-07", 18603, {18603, 18597, 18536, 18262}, {18610, 18628, 18628, 18628}},
        {"2008-04-05", 13974, {13969, 13970, 13970, 13879}, {13976, 14000, 14061, 14245}},
        {"2048-09-21", 28753, {28753, 28733, 28671, 28489}, {28760, 28763, 28763, 28855}},
        {"2034-02-27", 23433, {23433, 23407, 23376, 23376}, {23440, 23435, 23466, 23741}},
        {"2000-07-31", 11169, {11169, 11139, 11139, 10957}, {11176, 11170, 11231, 11323}},
        {"2019-09-08", 18147, {18141, 18140, 18078, 17897}, {18148, 18170, 18170, 18262}},
        {"2007-04-03", 13606, {13605, 13604, 13604, 13514}, {13612, 13634, 13695, 13879}},
        {"2018-06-13", 17695, {17693, 17683, 17622, 17532}, {17700, 17713, 17713, 17897}},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        int32_t day = 0;

        if (!fa_day_parse(fa_str_of(t[i].text), &day) || day != t[i].day)
            fail_msg("%s: parsed as %d", t[i].text, day);
        fa_buf_clear(&b);
        fa_day_emit(&b, t[i].day);
        CHECK_TEXT(t[i].text, fa_buf_view(&b), t[i].text);
        for (size_t k = 0; k < 4; k++) {
            if (fa_day_floor(day, kinds[k]) != t[i].first[k])
                fail_msg("%s: floor %zu is %d", t[i].text, k, fa_day_floor(day, kinds[k]));
            if (fa_day_next(day, kinds[k]) != t[i].next[k])
                fail_msg("%s: next %zu is %d", t[i].text, k, fa_day_next(day, kinds[k]));
        }
        assert_int_equal(fa_day_floor(day, FA_DAY), day);
        assert_int_equal(fa_day_next(day, FA_DAY), day + 1);
        assert_int_equal(fa_day_next(day, FA_HOUR), day + 1);
        assert_true(fa_day_floor(day, FA_ALL) <= day && fa_day_next(day, FA_ALL) > day);
    }
    fa_buf_release(&b);
}

/* Every day of 400 years follows the one before it. */
static void test_days_whole_era(void **state)
{
    int32_t day = fa_day_of(1900, 1, 1);

    (void)state;
    for (int y = 1900; y < 2301; y++) {
        for (int m = 1; m <= 12; m++) {
            for (int d = 1; d <= fa_month_days(y, m); d++, day++) {
                int yy, mm, dd;

                fa_day_civil(day, &yy, &mm, &dd);
                if (fa_day_of(y, m, d) != day || yy != y || mm != m || dd != d)
                    fail_msg("%04d-%02d-%02d is %d", y, m, d, day);
            }
        }
    }
}

static void test_day_refused(void **state)
{
    static const char *const t[] = {
        "",           "2026-11-1",   "2026-1-13",   "2026/11/13",  "2026-13-01", "2026-00-10",
        "2026-11-31", "2026-02-29",  "1900-02-29",  "0000-01-01",  "2026-11-00", "2026-11-133",
        "-026-11-13", " 2026-11-13", "2026-11-13 ", "2026-11-13T", "20261113",   "+026-11-13",
    };
    int32_t day;

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++)
        if (fa_day_parse(fa_str_of(t[i]), &day))
            fail_msg("taken: \"%s\"", t[i]);
}

static void test_add_months(void **state)
{
    static const struct {
        const char *from;
        int n;
        const char *to;
    } t[] = {
        {"2024-01-31", 1, "2024-02-29"},   {"2023-01-31", 1, "2023-02-28"},
        {"2024-03-31", -1, "2024-02-29"},  {"2024-02-29", 12, "2025-02-28"},
        {"2024-02-29", -48, "2020-02-29"}, {"2026-11-23", 14, "2028-01-23"},
        {"2026-12-31", 2, "2027-02-28"},   {"2026-05-31", -25, "2024-04-30"},
        {"1970-01-31", -1, "1969-12-31"},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        int32_t day = 0;

        assert_true(fa_day_parse(fa_str_of(t[i].from), &day));
        fa_buf_clear(&b);
        fa_day_emit(&b, fa_day_add_months(day, t[i].n));
        CHECK_TEXT(t[i].from, fa_buf_view(&b), t[i].to);
    }
    fa_buf_release(&b);
}

static void test_time_iso(void **state)
{
    static const struct {
        int64_t ms;
        const char *out;
    } t[] = {
        {0LL, "1970-01-01T00:00:00.000Z"},
        {1LL, "1970-01-01T00:00:00.001Z"},
        {-1LL, "1969-12-31T23:59:59.999Z"},
        {1777627800000LL, "2026-05-01T09:30:00.000Z"},
        {951782399999LL, "2000-02-28T23:59:59.999Z"},
        {-62135596800000LL, "0001-01-01T00:00:00.000Z"},
        {4102444800000LL, "2100-01-01T00:00:00.000Z"},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_buf_clear(&b);
        fa_time_iso(&b, t[i].ms);
        CHECK_TEXT(t[i].out, fa_buf_view(&b), t[i].out);
    }
    fa_buf_release(&b);
    assert_int_equal(setenv("FARTHING_NOW_MS", "1777627800000", 1), 0);
    assert_int_equal(fa_now_ms(), 1777627800000LL);
    assert_int_equal(unsetenv("FARTHING_NOW_MS"), 0);
    assert_true(fa_now_ms() > 1700000000000LL);
    assert_int_equal(fa_ms_day(-1), -1);
    assert_int_equal(fa_ms_day(86400000), 1);
}

static void test_str(void **state)
{
    (void)state;
    assert_true(fa_str_eq(fa_str_of(NULL), FA_STR("")));
    assert_true(fa_str_ieq(FA_STR("Team"), FA_STR("tEAM")));
    assert_false(fa_str_ieq(FA_STR("Team"), FA_STR("Teams")));
    assert_true(fa_str_cmp(FA_STR("a"), FA_STR("ab")) < 0);
    assert_true(fa_str_cmp(FA_STR("b"), FA_STR("ab")) > 0);
    assert_int_equal(fa_str_cmp(FA_STR("ab"), FA_STR("ab")), 0);
    assert_true(fa_str_starts(FA_STR("tag:team"), FA_STR("tag:")));
    assert_false(fa_str_starts(FA_STR("ta"), FA_STR("tag:")));
    assert_true(fa_str_ends(FA_STR("bill.csv"), FA_STR(".csv")));
    CHECK_TEXT("trim", fa_str_trim(FA_STR(" \t a b\r\n")), "a b");
    CHECK_TEXT("trim all", fa_str_trim(FA_STR("  ")), "");
}

static void test_utf8(void **state)
{
    static const struct {
        const char *name, *in;
        bool ok;
    } t[] = {
        {"empty", "", true},
        {"ascii", "plain text longer than eight", true},
        {"two", "\xc3\xa9", true},
        {"three", "\xe2\x82\xac", true},
        {"four", "\xf0\x9f\x92\xb0", true},
        {"last", "\xf4\x8f\xbf\xbf", true},
        {"past the last", "\xf4\x90\x80\x80", false},
        {"surrogate", "\xed\xa0\x80", false},
        {"before surrogates", "\xed\x9f\xbf", true},
        {"overlong slash", "\xc0\xaf", false},
        {"overlong three", "\xe0\x9f\xbf", false},
        {"overlong four", "\xf0\x8f\xbf\xbf", false},
        {"lone tail", "\x80", false},
        {"cut", "abcdefgh\xe2\x82", false},
        {"ff", "\xff", false},
        {"latin1", "caf\xe9 bar", false},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++)
        if (fa_utf8_valid(fa_str_of(t[i].in)) != t[i].ok)
            fail_msg("%s", t[i].name);
}

static void test_arena(void **state)
{
    fa_arena a;

    (void)state;
    fa_arena_init(&a, 100000);
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = fa_arena_alloc(&a, n);

        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    assert_null(fa_arena_alloc(&a, 100000));
    assert_null(fa_arena_alloc(&a, SIZE_MAX));
    assert_null(fa_arena_array(&a, SIZE_MAX / 4, 8));
    assert_null(fa_arena_dup(&a, (fa_str){"x", SIZE_MAX}).p);
    fa_arena_clear(&a);
    assert_int_equal(a.used, 0);
    assert_string_equal(fa_arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(fa_arena_dupz(&a, FA_STR("abc")), "abc");
    assert_non_null(fa_arena_alloc(&a, 90000));
    assert_null(fa_arena_alloc(&a, 90000));
    fa_arena_release(&a);
    fa_arena_release(&(fa_arena){0});
}

static void test_err(void **state)
{
    fa_err e;

    (void)state;
    assert_int_equal(fa_fail(&e, FA_EDATA, "row %d of \"%s\"", 7, "a.csv"), FA_EDATA);
    assert_int_equal(fa_hint(&e, "mend it"), FA_EDATA);
    assert_int_equal(fa_at(&e, "filters.AND[2]"), FA_EDATA);
    fa_in(&e, "load");
    fa_in(&e, "cli");
    assert_string_equal(e.msg, "row 7 of \"a.csv\"");
    assert_string_equal(e.trail, "cli < load");
    fa_fail(&e, FA_EENV, "outer: %s", e.msg); /* may quote the error it replaces */
    assert_string_equal(e.msg, "outer: row 7 of \"a.csv\"");
    assert_string_equal(e.hint, "");
    assert_string_equal(e.field, "");
    assert_int_equal(fa_fail(NULL, FA_EAUTH, "x"), FA_EAUTH);
    for (int rc = 0; rc < FA__RC_COUNT; rc++) {
        const fa_rc_info *r = fa_rc_get((fa_rc)rc);

        assert_non_null(r->name);
        assert_in_range(r->http, 200, 599);
        assert_in_range(r->exit_code, 0, 3);
    }
    assert_int_equal(fa_rc_get((fa_rc)999)->http, 500);

    char wide[3000];

    for (size_t i = 0; i + 3 < sizeof wide; i += 3)
        memcpy(wide + i, "\xe2\x82\xac", 4);
    for (int pad = 0; pad < 3; pad++) { /* the cut never splits a character */
        fa_fail(&e, FA_EDATA, "%.*s%s", pad, "ab", wide);
        assert_true(fa_utf8_valid(fa_str_of(e.msg)));
        assert_true(strlen(e.msg) > 1000);
    }
}

static void test_buf_escapes(void **state)
{
    static const struct {
        const char *name;
        fa_str in;
        const char *json, *csv, *guarded, *url, *text, *ident;
    } t[] = {
        {"plain", FA_STR("ab c"), "\"ab c\"", "ab c", "ab c", "ab%20c", "'ab c'", "\"ab c\""},
        {"quotes", FA_STR("a\"b'c"), "\"a\\\"b'c\"", "\"a\"\"b'c\"", "\"a\"\"b'c\"", "a%22b%27c",
         "'a\"b''c'", "\"a\"\"b'c\""},
        {"control", FA_STR("a\n\t\x01\x7f"), "\"a\\n\\t\\u0001\\u007f\"", "\"a\n\t\x01\x7f\"",
         "\"a\n\t\x01\x7f\"", "a%0A%09%01%7F", "'a\n\t\x01\x7f'", "\"a\n\t\x01\x7f\""},
        {"formula", FA_STR("=1+1"), "\"=1+1\"", "=1+1", "'=1+1", "%3D1%2B1", "'=1+1'", "\"=1+1\""},
        {"formula after a space", FA_STR(" @x"), "\" @x\"", " @x", "' @x", "%20%40x", "' @x'",
         "\" @x\""},
        {"minus", FA_STR("-x,y"), "\"-x,y\"", "\"-x,y\"", "\"'-x,y\"", "-x%2Cy", "'-x,y'",
         "\"-x,y\""},
        {"full width", FA_STR("\xef\xbc\x9dx"), "\"\xef\xbc\x9dx\"", "\xef\xbc\x9dx",
         "'\xef\xbc\x9dx", "%EF%BC%9Dx", "'\xef\xbc\x9dx'", "\"\xef\xbc\x9dx\""},
        {"bad utf-8", FA_STR("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"", "a\xff\xc3",
         "a\xff\xc3", "a%FF%C3", "'a\xff\xc3'", "\"a\xff\xc3\""},
        {"nul", FA_STR("a\0b"), "\"a\\u0000b\"", NULL, NULL, "a%00b", "'ab'", "\"ab\""},
        {"empty", FA_STR(""), "\"\"", "", "", "", "''", "\"\""},
    };
    fa_buf b = {0};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_buf_clear(&b);
        fa_buf_json(&b, t[i].in);
        CHECK_TEXT(t[i].name, fa_buf_view(&b), t[i].json);
        fa_buf_clear(&b);
        fa_buf_csv(&b, t[i].in, false);
        if (t[i].csv)
            CHECK_TEXT(t[i].name, fa_buf_view(&b), t[i].csv);
        fa_buf_clear(&b);
        fa_buf_csv(&b, t[i].in, true);
        if (t[i].guarded)
            CHECK_TEXT(t[i].name, fa_buf_view(&b), t[i].guarded);
        fa_buf_clear(&b);
        fa_buf_url(&b, t[i].in);
        CHECK_TEXT(t[i].name, fa_buf_view(&b), t[i].url);
        fa_buf_clear(&b);
        fa_buf_sql_text(&b, t[i].in);
        CHECK_TEXT(t[i].name, fa_buf_view(&b), t[i].text);
        fa_buf_clear(&b);
        fa_buf_sql_ident(&b, t[i].in);
        CHECK_TEXT(t[i].name, fa_buf_view(&b), t[i].ident);
    }
    fa_buf_release(&b);
}

static void test_buf_limit(void **state)
{
    fa_buf b;

    (void)state;
    fa_buf_init(&b, 10);
    fa_buf_z(&b, "12345");
    fa_buf_fmt(&b, "%05d", 6);
    assert_false(b.failed);
    fa_buf_c(&b, 'x');
    assert_true(b.failed);
    CHECK_TEXT("kept", fa_buf_view(&b), "1234500006");
    fa_buf_clear(&b);
    fa_buf_z(&b, "again");
    CHECK_TEXT("again", fa_buf_view(&b), "again");
    fa_buf_release(&b);
    fa_buf_release(&(fa_buf){0});
}

static void test_map(void **state)
{
    fa_map *m = fa_map_new();
    fa_buf b = {0};
    size_t v, cursor = 0, seen = 0;
    fa_str key;
    bool added;

    (void)state;
    assert_non_null(m);
    assert_false(fa_map_get(m, FA_STR("none"), &v));
    for (size_t i = 0; i < 20000; i++) {
        fa_buf_clear(&b);
        fa_buf_fmt(&b, "key %zu", i);
        assert_true(fa_map_add(m, fa_buf_view(&b), i, &v, &added));
        assert_true(added && v == i);
        assert_true(fa_map_add(m, fa_buf_view(&b), 7, &v, &added));
        assert_true(!added && v == i);
    }
    for (size_t i = 0; i < 20000; i += 2) {
        fa_buf_clear(&b);
        fa_buf_fmt(&b, "key %zu", i);
        assert_true(fa_map_del(m, fa_buf_view(&b)));
        assert_false(fa_map_del(m, fa_buf_view(&b)));
    }
    assert_int_equal(fa_map_count(m), 10000);
    assert_true(fa_map_set(m, FA_STR("key 1"), 99));
    assert_true(fa_map_set(m, FA_STR("key 0"), 98));
    assert_true(fa_map_set(m, FA_STR(""), 97)); /* the empty text is a key like any other */
    while (fa_map_next(m, &cursor, &key, &v)) {
        size_t again;

        assert_true(fa_map_get(m, key, &again) && again == v);
        seen++;
    }
    assert_int_equal(seen, 10002);
    for (int round = 0; round < 100000; round++) { /* holes are closed, not piled up */
        assert_true(fa_map_set(m, FA_STR("churn"), 1));
        assert_true(fa_map_del(m, FA_STR("churn")));
    }
    assert_int_equal(fa_map_count(m), 10002);
    fa_map_free(m);
    fa_map_free(NULL);
    fa_buf_release(&b);
}

static void test_jw(void **state)
{
    fa_buf b = {0};
    fa_jw w;

    (void)state;
    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "a");
    fa_jw_arr(&w);
    fa_jw_int(&w, -5);
    fa_jw_z(&w, NULL);
    fa_jw_z(&w, "x\"");
    fa_jw_obj(&w);
    fa_jw_end_obj(&w);
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "b");
    fa_jw_dec(&w, -12345, 4);
    fa_jw_key(&w, "c");
    fa_jw_bool(&w, true);
    fa_jw_key(&w, "d");
    fa_jw_time(&w, 0);
    fa_jw_key(&w, "e");
    fa_jw_time(&w, -1);
    fa_jw_key(&w, "f");
    fa_jw_raw(&w, FA_STR("[1]"));
    fa_jw_end_obj(&w);
    CHECK_TEXT("object", fa_buf_view(&b),
               "{\"a\":[-5,null,\"x\\\"\",{}],\"b\":-1.2345,\"c\":true,"
               "\"d\":\"1970-01-01T00:00:00.000Z\",\"e\":null,\"f\":[1]}");
    assert_false(b.failed);
    fa_jw_end_obj(&w);
    assert_true(b.failed);
    fa_buf_clear(&b);
    fa_jw_init(&w, &b);
    for (int i = 0; i < 100; i++)
        fa_jw_arr(&w);
    assert_true(b.failed);
    fa_buf_release(&b);
}

static void test_id(void **state)
{
    char a[37], b[37], hex[9];

    (void)state;
    fa_uuid_v4(a);
    fa_uuid_v4(b);
    assert_string_not_equal(a, b);
    assert_true(fa_uuid_valid(fa_str_of(a)));
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_true(fa_uuid_valid(FA_STR("0CA46EFE-0000-4000-8000-0123456789AB")));
    assert_false(fa_uuid_valid(FA_STR("0ca46efe-0000-4000-8000-0123456789a")));
    assert_false(fa_uuid_valid(FA_STR("0ca46efe-0000-4000-8000-0123456789ag")));
    assert_false(fa_uuid_valid(FA_STR("0ca46efe0-000-4000-8000-0123456789ab")));
    fa_hex(hex, "\x00\x7f\xa0\xff", 4);
    assert_string_equal(hex, "007fa0ff");
    assert_true(fa_const_eq(FA_STR("same"), FA_STR("same")));
    assert_false(fa_const_eq(FA_STR("same"), FA_STR("sama")));
    assert_false(fa_const_eq(FA_STR("same"), FA_STR("sam")));
}

/* What fa_log writes while fn runs, from a pipe put in the place of standard error. */
static void captured(void (*fn)(void), char *out, size_t size)
{
    int fd[2], saved = dup(STDERR_FILENO);
    size_t n = 0;
    ssize_t k;

    assert_int_equal(pipe(fd), 0);
    assert_true(dup2(fd[1], STDERR_FILENO) >= 0);
    close(fd[1]);
    fn();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    while (n + 1 < size && (k = read(fd[0], out + n, size - n - 1)) > 0)
        n += (size_t)k;
    out[n] = '\0';
    close(fd[0]);
}

static void *log_lines(void *arg)
{
    for (int i = 0; i < 200; i++)
        fa_log(FA_LOG_INFO, "thread", "who=%s i=%d", (const char *)arg, i);
    return NULL;
}

static void log_threads(void)
{
    pthread_t a, b;

    assert_int_equal(pthread_create(&a, NULL, log_lines, "first"), 0);
    assert_int_equal(pthread_create(&b, NULL, log_lines, "second"), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}

static void log_nasty(void)
{
    fa_log(FA_LOG_DEBUG, "hidden", "x=1");
    fa_log(FA_LOG_WARN, "odd", "name=\"%s\"", "a\nlevel=error\x1b[2J");
}

static void test_log(void **state)
{
    static char out[200000];
    size_t lines = 0;

    (void)state;
    captured(log_nasty, out, sizeof out);
    assert_null(strstr(out, "hidden"));
    assert_non_null(strstr(out, " level=warn event=odd name=\"a\\nlevel=error\\x1b[2J\"\n"));
    assert_int_equal(strncmp(out, "time=", 5), 0);
    captured(log_threads, out, sizeof out);
    for (char *p = out, *end; (end = strchr(p, '\n')); p = end + 1, lines++) {
        *end = '\0';
        assert_int_equal(strncmp(p, "time=", 5), 0);
        assert_non_null(strstr(p, " event=thread who="));
    }
    assert_int_equal(lines, 400);
}

static void test_files(void **state)
{
    char dir[] = "/tmp/fa_base_XXXXXX", path[200], deep[200], outside[200];
    fa_err e;
    fa_buf b = {0};
    struct stat st;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(deep, sizeof deep, "%s/a/b/c", dir);
    assert_int_equal(fa_mkdirs(deep, 0700, &e), FA_OK);
    assert_int_equal(fa_mkdirs(deep, 0700, &e), FA_OK);
    snprintf(path, sizeof path, "%s/a/b/c/file", dir);
    assert_int_equal(fa_file_write_durable(path, FA_STR("one"), 0600, &e), FA_OK);
    assert_int_equal(fa_file_write_durable(path, FA_STR("two"), 0600, &e), FA_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fa_file_read(path, 0, &b, &e), FA_OK);
    CHECK_TEXT("content", fa_buf_view(&b), "two");
    assert_int_equal(fa_file_read(path, 2, &b, &e), FA_ETOOBIG);
    assert_int_equal(fa_mkdirs(path, 0700, &e), FA_ECONFLICT);
    snprintf(outside, sizeof outside, "%s/moved", dir);
    assert_int_equal(fa_rename_durable(path, outside, &e), FA_OK);
    assert_int_equal(fa_file_read(path, 0, &b, &e), FA_ENOTFOUND);
    assert_non_null(strstr(e.msg, path));
    assert_int_equal(fa_fsync_path(outside, &e), FA_OK);

    /* a link in the tree is removed, not followed */
    assert_int_equal(symlink(outside, path), 0);
    snprintf(path, sizeof path, "%s/a", dir);
    assert_int_equal(fa_remove_tree(path, &e), FA_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(outside, F_OK), 0);
    assert_int_equal(fa_remove_tree(path, &e), FA_OK);
    assert_int_equal(fa_remove_tree(dir, &e), FA_OK);
    assert_int_equal(access(dir, F_OK), -1);
    fa_buf_release(&b);
}

static void test_fault(void **state)
{
    (void)state;
    assert_false(fa_fault("here"));
    assert_int_equal(setenv("FARTHING_FAULT", "here:2:fail", 1), 0);
    assert_false(fa_fault("her"));
    assert_false(fa_fault("there"));
    assert_false(fa_fault("here"));
    assert_true(fa_fault("here"));
    assert_false(fa_fault("here"));
    assert_int_equal(unsetenv("FARTHING_FAULT"), 0);
}

/* ---- memory ---- */

static void test_memory(void **state)
{
    fa_arena a;
    fa_err e = {0};
    size_t sum = 0;

    (void)state;
    fa_memory_set((size_t)1 << 30);
    fa_memory_serve(true);
    for (int i = 0; i < FA_MEM__COUNT; i++)
        sum += fa_memory_share((fa_mem)i);
    assert_true(sum > (size_t)900 << 20 && sum <= (size_t)1 << 30);
    assert_true(fa_memory_take(FA_MEM_SCANS, fa_memory_share(FA_MEM_SCANS)));
    assert_false(fa_memory_take(FA_MEM_SCANS, 1));
    assert_false(fa_memory_take(FA_MEM_SCANS, SIZE_MAX)); /* no wrapping round */
    assert_int_equal(fa_oom(&e), FA_EENV);
    assert_non_null(strstr(e.msg, "sums may hold 153 MiB"));
    assert_non_null(strstr(e.hint, "--memory"));
    assert_int_equal(fa_oom(&e), FA_EENV); /* the reason counts once */
    assert_string_equal(e.msg, "out of memory");
    fa_memory_give(FA_MEM_SCANS, fa_memory_share(FA_MEM_SCANS));
    assert_int_equal(fa_memory_used(FA_MEM_SCANS), 0);
    /* a counted arena is refused past the share of questions, and gives everything back */
    fa_arena_init(&a, (size_t)8 << 30);
    fa_arena_count(&a);
    assert_non_null(fa_arena_alloc(&a, (size_t)150 << 20));
    assert_true(fa_memory_used(FA_MEM_QUESTIONS) >= (size_t)150 << 20);
    assert_null(fa_arena_alloc(&a, (size_t)150 << 20));
    (void)fa_oom(&e);
    assert_non_null(strstr(e.msg, "questions may hold"));
    fa_arena_release(&a);
    assert_int_equal(fa_memory_used(FA_MEM_QUESTIONS), 0);
    fa_memory_serve(false);
    fa_memory_set(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_dec_parse),
        cmocka_unit_test(test_dec_parse_shape),
        cmocka_unit_test(test_dec_emit),
        cmocka_unit_test(test_dec_round),
        cmocka_unit_test(test_dec_muldiv),
        cmocka_unit_test(test_dec_divide),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_refused),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_days_whole_era),
        cmocka_unit_test(test_day_refused),
        cmocka_unit_test(test_add_months),
        cmocka_unit_test(test_time_iso),
        cmocka_unit_test(test_str),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_err),
        cmocka_unit_test(test_buf_escapes),
        cmocka_unit_test(test_buf_limit),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_jw),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_fault),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
