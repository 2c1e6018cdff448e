-- demo.sql - the bill of a company that does not exist.
--
-- A line "-- @name" starts a statement; the program runs them in this order on one connection, replacing
-- $rows (exactly so many come out), $seed and $last (yesterday). "row" is not run but read by "COPY".
--
-- One idea: every choice is a number mixed from the row's position (demo_mix, a 32-bit mixer in plain
-- integer arithmetic), so the same arguments give the same rows whatever the version and the number of
-- threads, and every row is made by lookups: position -> day -> resource -> SKU, account, region.
--
-- Within a day the positions are spread evenly over a square law of resources: big ones are there every
-- day, small ones now and then, and a day's total does not jump by chance. Hourly days repeat a resource
-- for 24 hours. Money is an integer price of 1e-7 times an integer quantity of 1e-3: exact to 1e-10.

-- @mix1
CREATE OR REPLACE TEMP MACRO demo_mix1(x) AS
    (xor(x, x >> 16) * 2146121005::UBIGINT) & 4294967295::UBIGINT
-- @mix2
CREATE OR REPLACE TEMP MACRO demo_mix2(x) AS
    (xor(x, x >> 15) * 2221713035::UBIGINT) & 4294967295::UBIGINT
-- @mix3
CREATE OR REPLACE TEMP MACRO demo_mix3(x) AS xor(x, x >> 16)
-- @mix
CREATE OR REPLACE TEMP MACRO demo_mix(k, x) AS demo_mix3(demo_mix2(demo_mix1(
    (x::UBIGINT + k::UBIGINT * 2654435769::UBIGINT + ($seed)::UBIGINT * 40503::UBIGINT) & 4294967295::UBIGINT)))
-- @pick
CREATE OR REPLACE TEMP MACRO demo_pick(list, h) AS list[1 + (h::UBIGINT % len(list)::UBIGINT)::BIGINT]

-- @size
CREATE OR REPLACE TEMP TABLE demo_size AS
SELECT $rows::BIGINT AS n, DATE '$last' AS last, DATE '$last' - 394 AS first,
       greatest($rows // 60, 40)::BIGINT AS resources,
       least(400, greatest(20, $rows // 2500))::BIGINT AS accounts,
       CASE WHEN $rows < 20000 THEN 0 ELSE least(32, greatest(2, $rows // 10000)) END::BIGINT AS commits,
       greatest(1, $rows // 480000)::BIGINT AS slots

-- @day
CREATE OR REPLACE TEMP TABLE demo_day AS
SELECT i::INTEGER AS idx, (s.first + i::INTEGER) AS day, date_trunc('month', s.first + i::INTEGER)::DATE AS month,
       i >= 360 AS hourly, isodow(s.first + i::INTEGER) >= 6 AS weekend,
       -- growth 40 % over the range, quieter weekends
       ((1000 + 400 * i // 394) * CASE WHEN isodow(s.first + i::INTEGER) >= 6 THEN 88 ELSE 100 END)::BIGINT
         * CASE WHEN i >= 360 THEN 24 ELSE 1 END AS weight
FROM demo_size s, range(395) t(i)

-- @payer
CREATE OR REPLACE TEMP TABLE demo_payer AS
SELECT * FROM (VALUES
    (0, 0, '704419260318', 'Larkfield Group'),
    (1, 0, '338150927746', 'Larkfield Labs'),
    (2, 1, '/providers/Microsoft.Billing/billingAccounts/8203377', 'Larkfield Group Ltd'),
    (3, 2, '01A7C4-3F90B2-77D1E5', 'Larkfield Data'),
    (4, 3, '41190667', 'Larkfield Retail')) t(payer, prov, id, name)

-- @provider
CREATE OR REPLACE TEMP TABLE demo_provider AS
SELECT * FROM (VALUES
    (0, 'AWS', 'Amazon Web Services, Inc.', 60, 94),
    (1, 'Microsoft', 'Microsoft', 20, 91),
    (2, 'Google Cloud', 'Google Cloud', 10, 95),
    (3, 'Oracle', 'Oracle', 10, 100)) t(prov, name, issuer, share, contract)

-- @team
CREATE OR REPLACE TEMP TABLE demo_team AS
SELECT (row_number() OVER ())::INTEGER - 1 AS team, name, unit FROM (VALUES
    ('payments','Commerce'), ('checkout','Commerce'), ('search','Commerce'), ('catalog','Commerce'), ('pricing','Commerce'),
    ('data-platform','Data'), ('ml-platform','Data'), ('core-infra','Platform'), ('identity','Platform'), ('mobile','Consumer'),
    ('web-storefront','Consumer'), ('recommendations','Data'), ('fraud','Risk'), ('ledger','Finance'), ('billing','Finance'),
    ('logistics','Operations'), ('warehouse','Operations'), ('routing','Operations'), ('notifications','Consumer'), ('messaging','Platform'),
    ('observability','Platform'), ('security-eng','Security'), ('sre','Platform'), ('networking','Platform'), ('storage','Platform'),
    ('developer-tools','Platform'), ('build-ci','Platform'), ('qa-lab','Platform'), ('analytics','Data'), ('bi-reporting','Data'),
    ('marketing-tech','Growth'), ('crm','Growth'), ('ads','Growth'), ('loyalty','Growth'), ('partner-api','Commerce'),
    ('marketplace','Commerce'), ('seller-tools','Commerce'), ('content','Consumer'), ('media','Consumer'), ('video','Consumer'),
    ('streaming','Data'), ('iot-fleet','Operations'), ('maps','Operations'), ('forecasting','Data'), ('risk','Risk'),
    ('compliance','Risk'), ('legal-tech','Corporate'), ('hr-systems','Corporate'), ('finance-systems','Finance'), ('it-workplace','Corporate'),
    ('support-desk','Operations'), ('contact-center','Operations'), ('localisation','Consumer'), ('accessibility','Consumer'), ('experiments','Data'),
    ('feature-store','Data'), ('genai','Data'), ('research','Data'), ('sandbox','Platform'), ('shared-services','Platform')) t(name, unit)

-- @region
CREATE OR REPLACE TEMP TABLE demo_region AS
SELECT prov, (row_number() OVER (PARTITION BY prov ORDER BY ord))::INTEGER - 1 AS pos,
       (row_number() OVER (ORDER BY ord))::INTEGER - 1 AS region, id, name, short FROM (VALUES
    (0,0,'us-east-1','US East (N. Virginia)','USE1'), (1,0,'eu-west-1','EU (Ireland)','EU'), (2,0,'us-west-2','US West (Oregon)','USW2'),
    (3,0,'eu-central-1','EU (Frankfurt)','EUC1'), (4,0,'us-east-2','US East (Ohio)','USE2'), (5,0,'ap-south-1','Asia Pacific (Mumbai)','APS3'),
    (6,0,'ap-southeast-1','Asia Pacific (Singapore)','APS1'), (7,0,'eu-west-2','EU (London)','EUW2'), (8,0,'ap-northeast-1','Asia Pacific (Tokyo)','APN1'),
    (9,0,'ca-central-1','Canada (Central)','CAN1'), (10,0,'sa-east-1','South America (São Paulo)','SAE1'), (11,0,'eu-north-1','EU (Stockholm)','EUN1'),
    (12,1,'westeurope','West Europe','EUW'), (13,1,'northeurope','North Europe','EUN'), (14,1,'eastus','East US','USE'), (15,1,'eastus2','East US 2','USE2'),
    (16,1,'uksouth','UK South','UKS'), (17,1,'germanywestcentral','Germany West Central','GWC'), (18,1,'southeastasia','Southeast Asia','SEA'), (19,1,'centralus','Central US','USC'),
    (20,2,'europe-west1','Belgium','EW1'), (21,2,'us-central1','Iowa','UC1'), (22,2,'europe-west4','Netherlands','EW4'),
    (23,2,'us-east4','Northern Virginia','UE4'), (24,2,'asia-southeast1','Singapore','AS1'), (25,2,'europe-west3','Frankfurt','EW3'),
    (26,3,'eu-frankfurt-1','Germany Central (Frankfurt)','fra'), (27,3,'us-ashburn-1','US East (Ashburn)','iad'),
    (28,3,'uk-london-1','UK South (London)','lhr'), (29,3,'us-phoenix-1','US West (Phoenix)','phx')) t(ord, prov, id, name, short)

-- @account
CREATE OR REPLACE TEMP TABLE demo_account AS
WITH a AS (
    SELECT i::INTEGER AS account, (i * 100 // s.accounts)::INTEGER AS pct, demo_mix(1, i) AS h
    FROM demo_size s, range(s.accounts) t(i)),
b AS (SELECT *, CASE WHEN pct < 60 THEN 0 WHEN pct < 80 THEN 1 WHEN pct < 90 THEN 2 ELSE 3 END AS prov FROM a),
c AS (SELECT *, (row_number() OVER (PARTITION BY prov ORDER BY account))::INTEGER - 1 AS pos FROM b),
d AS (
    SELECT *, CASE prov WHEN 0 THEN CASE WHEN h % 4 = 0 THEN 1 ELSE 0 END ELSE prov + 1 END AS payer,
           -- an environment of its own for each account of a team; most teams begin with production
           (pos % 60)::INTEGER AS team, (ARRAY['prod','staging','dev','test','shared'])[1 +
               (demo_pick([0,0,0,1,2], demo_mix(2, prov * 100 + pos % 60)) + pos // 60) % 5] AS env
    FROM c)
SELECT d.account, d.prov, d.pos, d.payer, d.team, d.env, t.name AS team_name, t.unit,
       d.h AS h,
       CASE d.prov
         WHEN 0 THEN lpad((100000000000 + (d.h::UBIGINT * 200 + demo_mix(3, d.account) % 199)::BIGINT % 899999999999)::VARCHAR, 12, '0')
         WHEN 1 THEN '/subscriptions/' || substr(md5('sub' || d.account || '-' || $seed), 1, 8) || '-' || substr(md5('sub' || d.account || '-' || $seed), 9, 4)
                     || '-4' || substr(md5('sub' || d.account || '-' || $seed), 14, 3) || '-a' || substr(md5('sub' || d.account || '-' || $seed), 18, 3)
                     || '-' || substr(md5('sub' || d.account || '-' || $seed), 21, 12)
         WHEN 2 THEN 'larkfield-' || t.name || '-' || d.env
         ELSE 'ocid1.tenancy.oc1..aaaaaaaa' || md5('ten' || d.account || '-' || $seed) || substr(md5('oci' || d.account || '-' || $seed), 1, 20) END AS id,
       t.name || '-' || d.env || CASE WHEN d.pos >= 300 THEN '-' || (d.pos // 300 + 1) ELSE '' END AS name,
       p.id AS payer_id, p.name AS payer_name, pr.name AS provider, pr.issuer
FROM d JOIN demo_team t USING (team) JOIN demo_payer p ON p.payer = d.payer JOIN demo_provider pr ON pr.prov = d.prov

-- @service
CREATE OR REPLACE TEMP TABLE demo_service AS
SELECT (row_number() OVER (ORDER BY ord))::INTEGER - 1 AS svc, prov, weight,
       (sum(weight) OVER (PARTITION BY prov ORDER BY ord) - weight)::INTEGER AS lo, sum(weight) OVER (PARTITION BY prov)::INTEGER AS span,
       name, category, code, kind, meter, price FROM (
SELECT (row_number() OVER ())::INTEGER AS ord, * FROM (VALUES
    -- provider, weight, name, category, namespace of ids, resource kind, meter (H hours, G GB-months, T GB moved, R requests, F flat), price 1e-7
    (0,260,'Amazon Elastic Compute Cloud','Compute','ec2','instance','H',960000),
    (0,90,'Amazon Relational Database Service','Databases','rds','db','H',1450000),
    (0,110,'Amazon Simple Storage Service','Storage','s3','bucket','G',230000),
    (0,40,'Amazon Elastic Block Store','Storage','ec2','volume','G',800000),
    (0,34,'Amazon Elastic Kubernetes Service','Compute','eks','cluster','H',1000000),
    (0,46,'AmazonCloudWatch','Management and Governance','logs','log-group','G',3000000),
    (0,30,'AWS Lambda','Compute','lambda','function','R',167),
    (0,26,'Amazon DynamoDB','Databases','dynamodb','table','R',1250),
    (0,32,'Elastic Load Balancing','Networking','elasticloadbalancing','loadbalancer/app','H',225000),
    (0,28,'Amazon Virtual Private Cloud','Networking','ec2','natgateway','H',450000),
    (0,22,'Amazon ElastiCache','Databases','elasticache','cluster','H',680000),
    (0,20,'Amazon OpenSearch Service','Analytics','es','domain','H',1280000),
    (0,18,'Amazon Redshift','Analytics','redshift','cluster','H',2500000),
    (0,18,'Amazon CloudFront','Networking','cloudfront','distribution','T',850000),
    (0,16,'Amazon Elastic Container Service','Compute','ecs','task','H',404800),
    (0,14,'Amazon Simple Queue Service','Integration','sqs','queue','R',4),
    (0,9,'Amazon Simple Notification Service','Integration','sns','topic','R',5),
    (0,14,'Amazon Kinesis','Analytics','kinesis','stream','H',150000),
    (0,12,'Amazon Managed Streaming for Apache Kafka','Analytics','kafka','cluster','H',2100000),
    (0,12,'AWS Glue','Analytics','glue','job','H',4400000),
    (0,10,'Amazon Athena','Analytics','athena','workgroup','T',50000),
    (0,12,'Amazon SageMaker','AI and Machine Learning','sagemaker','endpoint','H',2690000),
    (0,16,'Amazon Bedrock','AI and Machine Learning','bedrock','provisioned-model','R',30000),
    (0,8,'Amazon Elastic File System','Storage','elasticfilesystem','file-system','G',3000000),
    (0,6,'Amazon FSx','Storage','fsx','file-system','G',1300000),
    (0,8,'AWS Backup','Storage','backup','recovery-point','G',500000),
    (0,6,'Amazon S3 Glacier','Storage','glacier','vault','G',36000),
    (0,6,'Amazon EC2 Container Registry (ECR)','Developer Tools','ecr','repository','G',1000000),
    (0,7,'AWS Key Management Service','Security','kms','key','R',30),
    (0,5,'AWS Secrets Manager','Security','secretsmanager','secret','R',50),
    (0,5,'AWS WAF','Security','wafv2','webacl','R',6),
    (0,4,'Amazon GuardDuty','Security','guardduty','detector','R',40),
    (0,3,'AWS Security Hub','Security','securityhub','hub','R',10),
    (0,4,'AWS CloudTrail','Management and Governance','cloudtrail','trail','R',20),
    (0,5,'AWS Config','Management and Governance','config','config-rule','R',30000),
    (0,3,'AWS Systems Manager','Management and Governance','ssm','parameter','R',500),
    (0,6,'Amazon Route 53','Networking','route53','hostedzone','R',4),
    (0,6,'Amazon API Gateway','Networking','apigateway','restapis','R',35),
    (0,5,'AWS Transit Gateway','Networking','ec2','transit-gateway','H',500000),
    (0,4,'AWS Direct Connect','Networking','directconnect','dxcon','H',3000000),
    (0,4,'AWS Step Functions','Integration','states','stateMachine','R',250),
    (0,4,'Amazon EventBridge','Integration','events','event-bus','R',10),
    (0,3,'Amazon MQ','Integration','mq','broker','H',3000000),
    (0,4,'Amazon Cognito','Identity','cognito-idp','userpool','R',55000),
    (0,3,'AWS Directory Service','Identity','ds','directory','H',1200000),
    (0,4,'AWS CodeBuild','Developer Tools','codebuild','project','H',3000000),
    (0,2,'AWS CodePipeline','Developer Tools','codepipeline','pipeline','R',10000),
    (0,3,'AWS Database Migration Service','Migration','dms','rep','H',1800000),
    (0,2,'AWS DataSync','Migration','datasync','task','T',125000),
    (0,3,'AWS IoT Core','Internet of Things','iot','thing','R',10),
    (0,3,'AWS Elemental MediaConvert','Media','mediaconvert','queue','H',4500000),
    (0,3,'Amazon Connect','Business Applications','connect','instance','R',180000),
    (0,3,'Amazon WorkSpaces','Business Applications','workspaces','workspace','H',3500000),
    (0,2,'Amazon QuickSight','Analytics','quicksight','namespace','R',330000),
    (0,2,'Amazon Simple Email Service','Web','ses','identity','R',1000),
    (0,2,'AWS Amplify','Web','amplify','apps','T',1500000),
    (0,2,'AWS App Runner','Compute','apprunner','service','H',640000),
    (0,3,'AWS Batch','Compute','batch','job-queue','H',500000),
    (0,2,'Amazon Lightsail','Compute','lightsail','Instance','H',69000),
    (0,2,'Amazon Neptune','Databases','rds','cluster','H',3480000),
    (0,4,'Amazon DocumentDB','Databases','rds','cluster','H',2770000),
    (0,2,'Amazon Timestream','Databases','timestream','database','R',5000),
    (0,2,'Amazon Rekognition','AI and Machine Learning','rekognition','project','R',10000),
    (0,2,'Amazon Textract','AI and Machine Learning','textract','adapter','R',15000),
    (0,2,'Amazon Transcribe','AI and Machine Learning','transcribe','vocabulary','R',4000),
    (0,1,'AWS Device Farm','Mobile','devicefarm','project','H',10200000),
    (0,9,'AWS Support (Business)','Management and Governance','','','F',1200000000),
    (0,3,'Datadog Pro (AWS Marketplace)','Other','','','F',230000000),
    (1,190,'Virtual Machines','Compute','Microsoft.Compute','virtualMachines','H',1040000),
    (1,120,'Storage Accounts','Storage','Microsoft.Storage','storageAccounts','G',184000),
    (1,80,'SQL Database','Databases','Microsoft.Sql','servers/databases','H',2020000),
    (1,60,'Azure Kubernetes Service','Compute','Microsoft.ContainerService','managedClusters','H',1000000),
    (1,40,'Azure Cosmos DB','Databases','Microsoft.DocumentDB','databaseAccounts','R',2820),
    (1,40,'Azure App Service','Web','Microsoft.Web','sites','H',950000),
    (1,36,'Azure Monitor','Management and Governance','Microsoft.OperationalInsights','workspaces','G',23000000),
    (1,24,'Azure OpenAI Service','AI and Machine Learning','Microsoft.CognitiveServices','accounts','R',50000),
    (1,24,'Azure Databricks','Analytics','Microsoft.Databricks','workspaces','H',4000000),
    (1,20,'Bandwidth','Networking','Microsoft.Network','publicIPAddresses','T',870000),
    (1,18,'Load Balancer','Networking','Microsoft.Network','loadBalancers','H',250000),
    (1,16,'Application Gateway','Networking','Microsoft.Network','applicationGateways','H',2460000),
    (1,14,'VPN Gateway','Networking','Microsoft.Network','virtualNetworkGateways','H',1900000),
    (1,14,'Azure Functions','Compute','Microsoft.Web','sites/functions','R',2000),
    (1,14,'Event Hubs','Integration','Microsoft.EventHub','namespaces','H',300000),
    (1,10,'Service Bus','Integration','Microsoft.ServiceBus','namespaces','R',130),
    (1,12,'Azure Data Factory','Analytics','Microsoft.DataFactory','factories','R',10000),
    (1,12,'Azure Synapse Analytics','Analytics','Microsoft.Synapse','workspaces','H',12000000),
    (1,12,'Azure DB for PostgreSQL','Databases','Microsoft.DBforPostgreSQL','flexibleServers','H',1240000),
    (1,8,'Azure DB for MySQL','Databases','Microsoft.DBforMySQL','flexibleServers','H',1120000),
    (1,10,'Azure Cache for Redis','Databases','Microsoft.Cache','Redis','H',1380000),
    (1,12,'Managed Disks','Storage','Microsoft.Compute','disks','G',750000),
    (1,8,'Azure Files','Storage','Microsoft.Storage','storageAccounts/fileServices','G',600000),
    (1,8,'Azure Backup','Storage','Microsoft.RecoveryServices','vaults','G',224000),
    (1,6,'Key Vault','Security','Microsoft.KeyVault','vaults','R',30),
    (1,8,'Microsoft Defender for Cloud','Security','Microsoft.Security','pricings','H',200000),
    (1,6,'Microsoft Sentinel','Security','Microsoft.SecurityInsights','workspaces','G',43000000),
    (1,6,'Azure Firewall','Security','Microsoft.Network','azureFirewalls','H',12500000),
    (1,4,'Azure Active Directory B2C','Identity','Microsoft.AzureActiveDirectory','b2cDirectories','R',32500),
    (1,4,'Azure DevOps','Developer Tools','Microsoft.VisualStudio','account','F',80000000),
    (1,6,'Container Registry','Developer Tools','Microsoft.ContainerRegistry','registries','G',1000000),
    (1,5,'Azure Machine Learning','AI and Machine Learning','Microsoft.MachineLearningServices','workspaces','H',9000000),
    (1,4,'Azure AI Search','AI and Machine Learning','Microsoft.Search','searchServices','H',3360000),
    (1,4,'IoT Hub','Internet of Things','Microsoft.Devices','IotHubs','R',8000),
    (1,3,'API Management','Integration','Microsoft.ApiManagement','service','H',9500000),
    (1,3,'Logic Apps','Integration','Microsoft.Logic','workflows','R',1250),
    (1,4,'Azure DNS','Networking','Microsoft.Network','dnsZones','R',4),
    (1,2,'Azure Migrate','Migration','Microsoft.Migrate','assessmentProjects','H',500000),
    (1,2,'Media Services','Media','Microsoft.Media','mediaservices','H',1500000),
    (1,2,'Notification Hubs','Mobile','Microsoft.NotificationHubs','namespaces','R',100),
    (2,90,'Compute Engine','Compute','compute','instances','H',950000),
    (2,70,'Kubernetes Engine','Compute','container','clusters','H',1000000),
    (2,80,'BigQuery','Analytics','bigquery','datasets','T',62500),
    (2,70,'Cloud Storage','Storage','storage','buckets','G',200000),
    (2,36,'Cloud SQL','Databases','sqladmin','instances','H',1930000),
    (2,16,'Cloud Spanner','Databases','spanner','instances','H',9000000),
    (2,14,'Cloud Run','Compute','run','services','R',240),
    (2,10,'Cloud Run Functions','Compute','cloudfunctions','functions','R',100),
    (2,14,'Cloud Logging','Management and Governance','logging','logBuckets','G',5000000),
    (2,12,'Cloud Monitoring','Management and Governance','monitoring','metricDescriptors','R',2580),
    (2,20,'Vertex AI','AI and Machine Learning','aiplatform','endpoints','H',7500000),
    (2,12,'Cloud Pub/Sub','Integration','pubsub','topics','T',390000),
    (2,12,'Dataflow','Analytics','dataflow','jobs','H',560000),
    (2,8,'Dataproc','Analytics','dataproc','clusters','H',100000),
    (2,12,'Networking','Networking','compute','forwardingRules','T',850000),
    (2,6,'Cloud CDN','Networking','compute','backendServices','T',800000),
    (2,6,'Cloud NAT','Networking','compute','routers','H',440000),
    (2,6,'Memorystore for Redis','Databases','redis','instances','H',490000),
    (2,5,'Firestore','Databases','firestore','databases','R',6),
    (2,5,'Bigtable','Databases','bigtableadmin','instances','H',6500000),
    (2,4,'Artifact Registry','Developer Tools','artifactregistry','repositories','G',1000000),
    (2,3,'Cloud Build','Developer Tools','cloudbuild','builds','H',1800000),
    (2,3,'Secret Manager','Security','secretmanager','secrets','R',30),
    (2,3,'Cloud Armor','Security','compute','securityPolicies','R',75),
    (2,2,'Identity Platform','Identity','identitytoolkit','tenants','R',5500),
    (3,90,'Compute','Compute','instance','instance','H',300000),
    (3,60,'Block Storage','Storage','volume','volume','G',255000),
    (3,60,'Autonomous Database','Databases','autonomousdatabase','autonomousdatabase','H',3360000),
    (3,30,'Object Storage','Storage','bucket','bucket','G',255000),
    (3,30,'Oracle Base Database','Databases','dbsystem','dbsystem','H',4300000),
    (3,20,'MySQL HeatWave','Databases','mysqldbsystem','mysqldbsystem','H',1350000),
    (3,16,'Network','Networking','vnic','vnic','T',85000),
    (3,12,'Load Balancers','Networking','loadbalancer','loadbalancer','H',113000),
    (3,14,'Oracle Kubernetes Engine','Compute','cluster','cluster','H',1000000),
    (3,8,'Oracle Analytics Cloud','Analytics','analyticsinstance','analyticsinstance','H',10753000),
    (3,8,'Oracle Integration','Integration','integrationinstance','integrationinstance','H',6452000),
    (3,5,'Exadata Cloud Service','Databases','cloudexadatainfrastructure','cloudexadatainfrastructure','H',14516000),
    (3,5,'Logging Analytics','Management and Governance','loganalyticsentity','loganalyticsentity','G',500000),
    (3,5,'Oracle Functions','Compute','fnfunc','fnfunc','R',142),
    (3,4,'Vault','Security','vault','vault','R',30),
    (3,3,'Web Application Firewall','Security','waas','waas','R',6),
    (3,4,'GoldenGate','Migration','goldengatedeployment','goldengatedeployment','H',13441000)) v(prov, weight, name, category, code, kind, meter, price))

-- @sku
CREATE OR REPLACE TEMP TABLE demo_sku AS
WITH a AS (
    SELECT s.*, f.f::INTEGER AS flavour, v.v::INTEGER AS variant, (s.svc * 20 + f.f * 4 + v.v)::INTEGER AS sku,
           CASE v.v WHEN 0 THEN s.meter WHEN 1 THEN 'G' WHEN 2 THEN 'T' ELSE 'R' END AS m,
           CASE WHEN sized AND s.prov = 0 THEN (['m6i.large','c6g.xlarge','r6i.2xlarge','m5.4xlarge','c7i.8xlarge'])[f.f + 1]
                WHEN sized AND s.prov = 1 THEN (['D2s v5','E4s v5','D8s v5','F16s v2','E32s v5'])[f.f + 1]
                WHEN sized AND s.prov = 2 THEN (['e2-standard-2','n2-standard-4','n2-highmem-8','c3-standard-16','n2-standard-32'])[f.f + 1]
                WHEN sized THEN (['Standard.E4','Standard.E5','Standard3','DenseIO.E4','Optimized3'])[f.f + 1]
                WHEN s.meter = 'H' THEN (['Basic','Standard','Premium','Enterprise','Enterprise Plus'])[f.f + 1]
                ELSE (['Standard','Infrequent Access','Premium','Archive','Performance'])[f.f + 1] END AS size,
           md5('sku' || (s.svc * 20 + f.f * 4 + v.v)) AS h
    FROM (SELECT *, meter = 'H' AND category IN ('Compute', 'Databases') AS sized FROM demo_service) s, range(5) f(f), range(4) v(v)),
b AS (
    SELECT *, CASE m WHEN 'H' THEN 'Hrs' WHEN 'G' THEN 'GB-Mo' WHEN 'T' THEN 'GB' WHEN 'R' THEN '1K Requests' ELSE 'Months' END AS aws_unit,
           CASE m WHEN 'H' THEN '1 Hour' WHEN 'G' THEN '1 GB/Month' WHEN 'T' THEN '1 GB' WHEN 'R' THEN '1K' ELSE '1/Month' END AS az_unit,
           CASE m WHEN 'H' THEN 'Hours' WHEN 'G' THEN 'GiB-Months' WHEN 'T' THEN 'GiB' WHEN 'R' THEN '1K Requests' ELSE 'Months' END AS other_unit,
           CASE WHEN variant = 0 THEN price * CASE WHEN meter = 'H' THEN (1 << flavour) WHEN meter = 'F' THEN 1 ELSE 1 + flavour END
                WHEN variant = 1 THEN 200000 + 100000 * flavour + svc % 7 * 10000
                WHEN variant = 2 THEN 100000 + 150000 * flavour
                ELSE 1 + (svc + flavour) % 4 * (1 + svc % 9) END::INTEGER AS list7,
           CASE variant WHEN 0 THEN CASE m WHEN 'H' THEN 'usage' WHEN 'F' THEN 'subscription' WHEN 'R' THEN 'requests' WHEN 'G' THEN 'storage' ELSE 'transfer' END
                WHEN 1 THEN 'provisioned storage' WHEN 2 THEN 'data transfer out' ELSE 'API operations' END AS what
    FROM a)
SELECT sku, svc, b.prov, flavour, variant, m AS meter, list7, (list7::BIGINT * p.contract // 100)::INTEGER AS contract7,
       -- the price change of 1 July: managed databases dearer by 9 %, object storage cheaper by 12 %
       (CASE WHEN variant > 0 THEN list7 WHEN b.category = 'Databases' THEN list7::BIGINT * 109 // 100
             WHEN b.name IN ('Amazon Simple Storage Service','Cloud Storage','Storage Accounts') THEN list7::BIGINT * 88 // 100 ELSE list7 END)::INTEGER AS list7_new,
       (CASE WHEN variant > 0 THEN list7 WHEN b.category = 'Databases' THEN list7::BIGINT * 109 // 100
             WHEN b.name IN ('Amazon Simple Storage Service','Cloud Storage','Storage Accounts') THEN list7::BIGINT * 88 // 100 ELSE list7 END
         * p.contract // 100)::INTEGER AS contract7_new,
       CASE b.prov WHEN 0 THEN aws_unit WHEN 1 THEN az_unit ELSE other_unit END AS unit,
       b.name AS service, b.category,
       CASE b.prov WHEN 0 THEN (CASE m WHEN 'H' THEN 'On Demand ' ELSE '' END) || b.size || ' ' || what || ' per ' || aws_unit || ' - ' || b.name
            WHEN 1 THEN b.name || ' - ' || b.size || ' - ' || what WHEN 2 THEN b.size || ' ' || what || ' in ' || b.name
            ELSE b.name || ' - ' || b.size || ' - ' || what END AS description,
       CASE b.prov WHEN 0 THEN upper(substr(h, 1, 16)) WHEN 1 THEN 'DZH318Z0' || upper(substr(h, 1, 5)) WHEN 2 THEN upper(substr(h, 1, 4) || '-' || substr(h, 5, 4) || '-' || substr(h, 9, 4))
            ELSE 'B' || (88000 + sku) END AS sku_id,
       CASE b.prov WHEN 0 THEN upper(substr(h, 1, 16)) || '.JRTCKXETXF.' || upper(substr(h, 17, 10)) WHEN 1 THEN 'DZH318Z0' || upper(substr(h, 1, 5)) || '/00' || upper(substr(h, 6, 2))
            WHEN 2 THEN upper(substr(h, 13, 12)) ELSE NULL END AS sku_price_id,
       CASE WHEN b.prov = 0 THEN CASE variant WHEN 0 THEN CASE m WHEN 'H' THEN 'BoxUsage:' || b.size WHEN 'G' THEN 'TimedStorage-ByteHrs:' || b.size
            WHEN 'T' THEN 'DataProcessed-Bytes:' || b.size WHEN 'R' THEN 'Requests:' || b.size ELSE 'Subscription' END
            WHEN 1 THEN 'StorageUsage:' || b.size WHEN 2 THEN 'DataTransfer-Out-Bytes' ELSE 'Requests-Tier' || (1 + flavour % 2) END END AS usage_type,
       CASE WHEN b.prov = 0 THEN CASE variant WHEN 0 THEN CASE m WHEN 'H' THEN 'RunInstances' WHEN 'G' THEN 'StandardStorage' WHEN 'T' THEN 'Process' WHEN 'R' THEN 'Invoke' ELSE 'Subscribe' END
            WHEN 1 THEN 'CreateVolume-Gp3' WHEN 2 THEN 'PublicIP-Out' ELSE (['GetObject','PutObject','ListObjects','Describe','Decrypt'])[flavour + 1] END END AS operation
FROM b JOIN demo_provider p ON p.prov = b.prov

-- @resource
CREATE OR REPLACE TEMP TABLE demo_resource AS
WITH a AS (
    SELECT i::INTEGER AS rid, demo_mix(10, i) AS h1, demo_mix(11, i) AS h2, demo_mix(12, i) AS h3, demo_mix(13, i) AS h4, demo_mix(14, i) AS h5
    FROM demo_size s, range(s.resources) t(i)),
b AS (SELECT *, CASE WHEN h1 % 100 < 60 THEN 0 WHEN h1 % 100 < 80 THEN 1 WHEN h1 % 100 < 90 THEN 2 ELSE 3 END AS prov FROM a),
c AS (
    -- account and region by the square law, within the provider
    SELECT b.*, (x.first + ((h2 % 4096) * (h2 % 4096) * x.n::UBIGINT >> 24))::INTEGER AS account,
           (y.first + (((h2 >> 12) % 1024) * ((h2 >> 12) % 1024) * y.n::UBIGINT >> 20))::INTEGER AS region,
           ((h3 % 65536) * z.span::UBIGINT >> 16)::INTEGER AS pick
    FROM b JOIN (SELECT prov, min(account) AS first, count(*) AS n FROM demo_account GROUP BY prov) x USING (prov)
           JOIN (SELECT prov, min(region) AS first, count(*) AS n FROM demo_region GROUP BY prov) y USING (prov)
           JOIN (SELECT DISTINCT prov, span FROM demo_service) z USING (prov)),
d AS (
    SELECT c.*, s.svc, s.code, s.kind, s.meter, (CASE WHEN (h3 >> 16) % 100 < 45 THEN 0 WHEN (h3 >> 16) % 100 < 72 THEN 1
           WHEN (h3 >> 16) % 100 < 88 THEN 2 WHEN (h3 >> 16) % 100 < 97 THEN 3 ELSE 4 END)::INTEGER AS flavour
    FROM c JOIN demo_service s ON s.prov = c.prov AND c.pick >= s.lo AND c.pick < s.lo + s.weight),
e AS (
    SELECT d.*, a.id AS account_id, a.team_name, a.env, a.unit AS unit, r.id AS region_id, r.short AS region_short,
           lower(printf('%08x%08x%08x', h1, h4, h5)) AS hex,
           a.team_name || '-' || demo_pick(['api','worker','web','batch','etl','gateway','store','cache','stream','admin'], h4) AS app,
           h4 % 100 < 28 OR kind = '' AS untagged, (h4 >> 8) % 1000 AS quirk
    FROM d JOIN demo_account a ON a.account = d.account JOIN demo_region r ON r.region = d.region)
SELECT rid, account, region, prov, svc, (svc * 20 + flavour * 4)::INTEGER AS sku0, h5 AS h, meter = 'F' AS flat,
       env IN ('dev','test') AS office_hours,
       meter = 'H' AND prov < 3 AND kind IN ('instance','virtualMachines','instances','clusters') AND (h5 >> 4) % 100 < 6 AS spot,
       CASE WHEN kind = '' THEN NULL ELSE CASE prov
         WHEN 0 THEN CASE WHEN code = 's3' THEN 'arn:aws:s3:::larkfield-' || app || '-' || env || '-' || region_id || '-' || substr(hex, 1, 12)
                          ELSE 'arn:aws:' || code || ':' || region_id || ':' || account_id || ':' || kind || '/'
                               || CASE kind WHEN 'instance' THEN 'i-0' WHEN 'volume' THEN 'vol-0' WHEN 'natgateway' THEN 'nat-0' ELSE app || '-' END || substr(hex, 1, 16) END
         WHEN 1 THEN account_id || '/resourceGroups/rg-' || team_name || '/providers/' || code || '/' || kind || '/' || app || '-' || substr(hex, 1, 8)
         WHEN 2 THEN '//' || code || '.googleapis.com/projects/' || account_id || '/locations/' || region_id || '/' || kind || '/' || app || '-' || substr(hex, 1, 8)
         ELSE 'ocid1.' || kind || '.oc1.' || region_short || '.anuwcljr' || hex || substr(md5(hex), 1, 20) END END AS resource_id,
       CASE WHEN kind = '' OR (h4 >> 5) % 100 < 55 THEN NULL ELSE app || '-' || substr(hex, 1, 8) END AS resource_name,
       nullif(kind, '') AS resource_type,
       CASE WHEN kind = '' OR meter <> 'H' OR (h4 >> 6) % 100 < 30 THEN NULL ELSE CASE prov
         WHEN 0 THEN region_id || demo_pick(['a','b','c'], h5) WHEN 1 THEN demo_pick(['1','2','3'], h5)
         WHEN 2 THEN region_id || demo_pick(['-b','-c','-d'], h5) ELSE 'fjrQ:' || upper(region_id) || demo_pick(['-AD-1','-AD-2','-AD-3'], h5) END END AS zone,
       CASE WHEN untagged THEN NULL ELSE
         '{"' || CASE WHEN quirk < 12 THEN 'Team' ELSE 'team' END || '": "'
         || CASE WHEN quirk BETWEEN 12 AND 17 THEN upper(team_name) WHEN quirk BETWEEN 18 AND 22 THEN upper(team_name[1]) || team_name[2:] ELSE team_name END
         || CASE WHEN quirk % 100 < 4 THEN '' ELSE '", "env": "' || CASE WHEN quirk BETWEEN 23 AND 32 THEN upper(env) WHEN quirk BETWEEN 33 AND 42 THEN upper(env[1]) || env[2:]
              WHEN quirk BETWEEN 43 AND 49 AND env = 'prod' THEN 'production' ELSE env END END
         || '", "app": "' || app || CASE WHEN quirk = 999 THEN '-größe' WHEN quirk = 998 THEN '-東京' ELSE '' END
         || '", "cost-centre": "CC-' || (1000 + (h4 // 7) % 120) || '"'
         || CASE WHEN (h5 >> 7) % 100 < 60 THEN ', "owner": "' || demo_pick(['ana.souza','ben.okafor','chloé.martin','dmitri.ivanov','elif.yılmaz','farid.rahimi','grace.lin','hanna.müller',
              'ivan.novák','jürgen.weiß','kenji.佐藤','léa.dubois','maría.garcía','noor.haddad','olu.adeyemi','priya.sharma','quentin.roy','rosa.núñez','søren.holm','tomáš.dvořák'], h5) || '@larkfield.example"' ELSE '' END
         || CASE WHEN kind IN ('cluster','clusters','managedClusters','instance','task') AND (h5 >> 9) % 100 < 50 THEN ', "k8s-namespace": "' || app || CASE WHEN (h5 >> 10) % 3 = 0 THEN '-canary' ELSE '' END
              || '", "k8s-pod": "' || app || '-' || substr(hex, 9, 9) || '-' || substr(hex, 18, 5) || '"' ELSE '' END
         || CASE (h5 >> 11) % 12 WHEN 0 THEN ', "managed-by": "terraform"' WHEN 1 THEN ', "managed-by": "terraform", "repo": "larkfield/' || app || '"' WHEN 2 THEN ', "business-unit": "' || unit || '"'
              WHEN 3 THEN ', "project": "atlas-' || (h5 >> 13) % 20 || '"' WHEN 4 THEN ', "data-class": "' || demo_pick(['public','internal','confidential'], h5 >> 14) || '"'
              WHEN 5 THEN ', "Name": "' || app || '-' || substr(hex, 1, 4) || '"' WHEN 6 THEN ', "temporary": true' WHEN 7 THEN ', "backup": "daily", "tier": "' || (1 + (h5 >> 14) % 3) || '"' ELSE '' END
         || '}' END AS tags
FROM e

-- @commit
CREATE OR REPLACE TEMP TABLE demo_commit AS
-- one row per commitment: kinds 0 reserved, paid up front, its whole term inside the range; 1 reserved, paid
-- monthly; 2 savings plan, paid daily. hour10: what one slot is worth in one hour, 1e-10 units.
WITH kinds AS (
    SELECT sku0, prov, svc, count(*) AS n, min(rid) AS low, row_number() OVER (ORDER BY count(*) DESC, sku0) - 1 AS pos
    FROM demo_resource r WHERE r.prov < 3 AND NOT r.spot AND r.svc IN (SELECT svc FROM demo_service
         WHERE name IN ('Amazon Elastic Compute Cloud','Amazon Relational Database Service','Virtual Machines','Compute Engine','SQL Database','Amazon ElastiCache','Cloud SQL'))
    GROUP BY sku0, prov, svc),
c AS (
    SELECT i::INTEGER AS c, CASE WHEN i % 8 < 3 THEN 2 WHEN i % 8 < 6 THEN 0 ELSE 1 END AS kind, k.*, s.slots, s.first, s.last
    FROM demo_size s, range(s.commits) t(i) JOIN kinds k ON k.pos = t.i % (SELECT least(count(*), 16) FROM kinds))
SELECT c, kind, c.prov, sku0, slots, (k.contract7::BIGINT * (CASE WHEN kind = 2 THEN 72 ELSE 61 END) // 100 * 1000)::BIGINT AS hour10,
       CASE kind WHEN 0 THEN 1 + c % 29 ELSE 0 END::INTEGER AS i_from, CASE kind WHEN 0 THEN 1 + c % 29 + 364 ELSE 394 END::INTEGER AS i_to,
       CASE WHEN c.prov = 0 AND kind < 2 THEN 'arn:aws:' || 'ec2:eu-west-1:704419260318:reserved-instances/' WHEN c.prov = 0 THEN 'arn:aws:savingsplans::704419260318:savingsplan/'
            WHEN c.prov = 1 THEN '/providers/Microsoft.Capacity/reservationOrders/' ELSE 'projects/larkfield-billing/regions/europe-west1/commitments/' END
       || substr(md5('commit' || c || '-' || $seed), 1, 8) || '-' || substr(md5('commit' || c || '-' || $seed), 9, 4) || '-' || substr(md5('commit' || c || '-' || $seed), 13, 12) AS id,
       CASE WHEN kind < 2 THEN 'ri-' ELSE 'sp-' END || lower(replace(k.service, ' ', '-')) || '-' || (c + 1) AS name,
       CASE WHEN kind < 2 THEN 'Usage' ELSE 'Spend' END AS category,
       CASE WHEN c.prov = 2 THEN 'Committed Use Discount' WHEN kind < 2 AND c.prov = 0 THEN 'Reserved Instance' WHEN kind < 2 THEN 'Reservation' ELSE 'Savings Plan' END AS type,
       (SELECT min(account) FROM demo_account a WHERE a.prov = c.prov) AS account
FROM c JOIN demo_sku k ON k.sku = c.sku0

-- @cover
CREATE OR REPLACE TEMP TABLE demo_cover AS
-- which resources a commitment covers, numbered
SELECT c.c, r.rid, (row_number() OVER (PARTITION BY c.c ORDER BY r.rid))::INTEGER - 1 AS pos, (count(*) OVER (PARTITION BY c.c))::INTEGER AS n
FROM demo_commit c JOIN demo_resource r ON r.sku0 = c.sku0 AND NOT r.spot

-- @fee
CREATE OR REPLACE TEMP TABLE demo_fee AS
-- what is paid for commitments: up front, by calendar month for the days in range, or by day
SELECT c.c, d.month, 'One-Time' AS frequency, d.day AS day, d.day + 1 AS till, c.hour10 * 24 * c.slots * 365 AS amount10
FROM demo_commit c JOIN demo_day d ON d.idx = c.i_from WHERE c.kind = 0
UNION ALL
SELECT c.c, d.month, 'Recurring', min(d.day), max(d.day) + 1, c.hour10 * 24 * c.slots * count(*)
FROM demo_commit c JOIN demo_day d ON d.idx BETWEEN c.i_from AND c.i_to WHERE c.kind = 1 GROUP BY c.c, c.hour10, c.slots, d.month
UNION ALL
SELECT c.c, d.month, 'Recurring', d.day, d.day + 1, c.hour10 * 24 * c.slots
FROM demo_commit c JOIN demo_day d ON d.idx BETWEEN c.i_from AND c.i_to WHERE c.kind = 2

-- @covered
CREATE OR REPLACE TEMP TABLE demo_covered AS
-- rows of a commitment on a day: its slots, times 24 on hourly days
SELECT d.idx, c.c, (c.slots * CASE WHEN d.hourly THEN 24 ELSE 1 END)::BIGINT AS n
FROM demo_commit c JOIN demo_day d ON d.idx BETWEEN c.i_from AND c.i_to

-- @count
CREATE OR REPLACE TEMP TABLE demo_count AS
-- regular rows per day, so that with the other two families there are exactly $rows
SELECT idx, (hi - lo)::BIGINT AS n FROM (
    SELECT idx, total * sum(weight::HUGEINT) OVER (ORDER BY idx) // whole AS hi,
           total * (sum(weight::HUGEINT) OVER (ORDER BY idx) - weight) // whole AS lo
    FROM demo_day, (SELECT $rows - (SELECT coalesce(sum(n), 0) FROM demo_covered) - (SELECT count(*) FROM demo_fee) AS total),
                   (SELECT sum(weight::HUGEINT) AS whole FROM demo_day))

-- @block
CREATE OR REPLACE TEMP TABLE demo_block AS
-- runs of 64 positions of one day: what a position is joined to
WITH b AS (
    SELECT d.*, n.n, 0 AS family, 0 AS c, t.i AS run FROM demo_count n JOIN demo_day d USING (idx), range((n.n + 63) // 64) t(i)
    UNION ALL
    SELECT d.*, v.n, 1, v.c, t.i FROM demo_covered v JOIN demo_day d USING (idx), range((v.n + 63) // 64) t(i))
SELECT family, c, (row_number() OVER (PARTITION BY family, month ORDER BY idx, c, run) - 1)::INTEGER AS no,
       (row_number() OVER (ORDER BY idx, family, c, run) - 1)::BIGINT * 64 AS base,
       month, idx, day, hourly, weekend, n, run::BIGINT * 64 AS k0,
       -- slots of the day, and the week of the spike
       CASE WHEN hourly THEN (n + 23) // 24 ELSE n END AS slots, idx BETWEEN 370 AND 376 AS spike,
       day >= make_date(year(DATE '$last') - CASE WHEN DATE '$last' < make_date(year(DATE '$last'), 7, 1) THEN 1 ELSE 0 END, 7, 1) AS new_price
FROM b

-- @seq
CREATE OR REPLACE TEMP TABLE demo_seq AS
-- positions 0..n, as many as the largest family of a month has
SELECT i::INTEGER AS i FROM range((SELECT max(n) FROM (SELECT count(*) * 64 AS n FROM demo_block GROUP BY family, month))) t(i)

-- @row
-- one bill row; the program puts this into COPY, a file for each $month
WITH place AS (
    SELECT b.*, ((b.k0 + (s.i & 63)) * 2147483647) % b.n AS k, b.base + (s.i & 63) AS g
    FROM demo_seq s JOIN demo_block b ON b.no = s.i >> 6
    WHERE b.month = DATE '$month' AND b.k0 + (s.i & 63) < b.n),
placed AS (
    SELECT *, CASE WHEN hourly AND family = 0 THEN k // 24 WHEN hourly THEN k // 24 ELSE k END AS slot,
           CASE WHEN hourly THEN (k % 24)::INTEGER ELSE 0 END AS hour, demo_mix(21, g) AS h
    FROM place),
regular AS (
    -- a position's place in the day, 0..2^32, squared: a resource, and where within it
    SELECT *, (u * u >> 32) * (SELECT resources FROM demo_size)::UBIGINT AS spot32 FROM (
        SELECT *, ((slot::UBIGINT << 20) + (demo_mix(20, (idx::UBIGINT << 22) + slot::UBIGINT) & 1048575)) * 4096 // slots::UBIGINT AS u
        FROM placed WHERE family = 0)),
pick AS (
    SELECT idx, day, hourly, weekend, spike, new_price, hour, h, NULL::INTEGER AS c, (spot32 >> 32)::INTEGER AS rid,
           CASE WHEN (spot32 >> 16) & 65535 < 49152 THEN 0 WHEN (spot32 >> 16) & 65535 < 55800 THEN 1 WHEN (spot32 >> 16) & 65535 < 60800 THEN 2 ELSE 3 END AS variant,
           CASE WHEN h % 10000 < 150 THEN 1 WHEN h % 10000 < 200 THEN 2 WHEN h % 10000 < 208 THEN 3 ELSE 0 END AS class,
           NULL::BIGINT AS fee10, NULL AS frequency, NULL::DATE AS till
    FROM regular
    UNION ALL
    -- a slot is used by a resource for about twelve days, one in thirteen is left unused
    SELECT p.idx, p.day, p.hourly, p.weekend, false, p.new_price, p.hour, p.h, p.c, v.rid, 0,
           CASE WHEN v.rid IS NULL OR demo_mix(22, p.c * 500000 + p.slot * 400 + p.idx) % 13 = 0 THEN 5 ELSE 4 END, NULL, NULL, NULL
    FROM placed p JOIN (SELECT c, max(n) AS n FROM demo_cover GROUP BY c) w ON w.c = p.c
    LEFT JOIN demo_cover v ON v.c = p.c AND v.pos = (demo_mix(23, p.c * 500000 + p.slot) + (p.idx // 12)::UBIGINT) % w.n
    WHERE p.family = 1
    UNION ALL
    SELECT 0, f.day, false, false, false, false, 0, 0, f.c, NULL, 0, 6, f.amount10, f.frequency, f.till
    FROM demo_fee f WHERE f.month = DATE '$month'),
priced AS (
    SELECT p.*, r.h AS rh, r.resource_id, r.resource_name, r.resource_type, r.zone, r.tags, r.region,
           coalesce(r.account, m.account) AS account, k.* EXCLUDE (variant, list7, contract7, list7_new, contract7_new), coalesce(r.spot, false) AND p.variant = 0 AND class = 0 AS spot,
           m.id AS commit_id, m.name AS commit_name, m.category AS commit_category, m.type AS commit_type, m.hour10,
           (CASE WHEN p.new_price THEN k.list7_new ELSE k.list7 END)::BIGINT AS list7,
           (CASE WHEN coalesce(r.spot, false) AND p.variant = 0 AND class = 0 THEN k.list7::BIGINT * 35 // 100 WHEN p.new_price THEN k.contract7_new ELSE k.contract7 END)::BIGINT AS contract7,
           CASE WHEN k.meter <> 'H' THEN 0 WHEN class = 4 THEN CASE WHEN p.hourly THEN 1000 ELSE 24000 END
                WHEN p.hourly THEN CASE WHEN r.office_hours AND (p.weekend OR p.hour < 7 OR p.hour > 18) THEN 20 + p.h % 60 WHEN r.h % 7 = 0 THEN 300 + p.h % 701 ELSE 1000 END
                WHEN r.office_hours THEN CASE WHEN p.weekend THEN 400 + p.h % 900 ELSE 11000 + p.h % 1500 END
                WHEN r.h % 7 = 0 THEN 8000 + p.h % 16001 ELSE 24000 END::BIGINT AS hours3
    FROM pick p LEFT JOIN demo_resource r ON r.rid = p.rid
    LEFT JOIN demo_commit m ON m.c = p.c
    JOIN demo_sku k ON k.sku = coalesce(r.sku0 + CASE WHEN r.flat THEN 0 ELSE p.variant END, m.sku0)),
counted AS (
    -- quantity in thousandths: per meter a size that belongs to the resource, a daily wobble, a weekly rhythm
    SELECT *, CASE meter WHEN 'H' THEN hours3 WHEN 'F' THEN CASE WHEN hourly THEN 1 ELSE 33 END ELSE greatest(1,
           (CASE meter WHEN 'G' THEN (666 << (rh % 8)::INTEGER) * (CASE WHEN list7 < 300000 THEN 8 ELSE 1 END) // CASE WHEN list7 > 5000000 THEN 8 ELSE 1 END
                       WHEN 'T' THEN 500 << (rh % 8)::INTEGER
                       ELSE CASE WHEN variant = 3 THEN 1 << (rh % 20)::INTEGER WHEN list7 > 8000 THEN 1000 << (rh % 12)::INTEGER ELSE 1000 << (rh % 16)::INTEGER END END
            * (75 + h % 51)::BIGINT * CASE WHEN meter <> 'G' AND weekend THEN 68 ELSE 100 END * CASE WHEN spike AND service = 'AmazonCloudWatch' THEN 21 ELSE 1 END)
            // CASE WHEN hourly THEN 240000 ELSE 10000 END) END::BIGINT AS qty3
    FROM priced),
summed AS (
    SELECT *, CASE class WHEN 3 THEN -1 WHEN 0 THEN 1 WHEN 4 THEN 1 END * qty3 AS q3,
           CASE class WHEN 0 THEN contract7 * qty3 WHEN 1 THEN -(contract7 * qty3 * 30 // 100) WHEN 2 THEN least(contract7 * qty3 * 8, 150000000000) WHEN 3 THEN -(contract7 * qty3) WHEN 6 THEN fee10 ELSE 0 END AS billed10,
           CASE class WHEN 0 THEN contract7 * qty3 WHEN 1 THEN -(contract7 * qty3 * 30 // 100) WHEN 2 THEN least(contract7 * qty3 * 8, 150000000000) WHEN 3 THEN -(contract7 * qty3) WHEN 6 THEN 0
                      ELSE hour10 * CASE WHEN hourly THEN 1 ELSE 24 END END AS effective10,
           CASE class WHEN 0 THEN list7 * qty3 WHEN 4 THEN list7 * qty3 WHEN 3 THEN -(list7 * qty3) WHEN 2 THEN least(contract7 * qty3 * 8, 150000000000) WHEN 6 THEN fee10 ELSE 0 END AS list10,
           CASE class WHEN 0 THEN contract7 * qty3 WHEN 4 THEN contract7 * qty3 WHEN 3 THEN -(contract7 * qty3) WHEN 2 THEN least(contract7 * qty3 * 8, 150000000000) WHEN 6 THEN fee10 ELSE 0 END AS contracted10,
           day::TIMESTAMP + to_hours(hour) AS start
    FROM counted)
SELECT CASE WHEN class IN (0, 3, 4) THEN zone END AS AvailabilityZone,
       (billed10::DECIMAL(19,0) * 0.0000000001)::DECIMAL(38,18) AS BilledCost,
       a.payer_id AS BillingAccountId, a.payer_name AS BillingAccountName, 'USD' AS BillingCurrency,
       DATE '$month'::TIMESTAMP + INTERVAL 1 MONTH AS BillingPeriodEnd, DATE '$month'::TIMESTAMP AS BillingPeriodStart,
       CASE class WHEN 1 THEN 'Credit' WHEN 2 THEN 'Tax' WHEN 3 THEN 'Adjustment' WHEN 6 THEN 'Purchase' ELSE 'Usage' END AS ChargeCategory,
       CASE WHEN class = 3 AND s.h % 2 = 0 THEN 'Correction' END AS ChargeClass,
       CASE class WHEN 1 THEN CASE WHEN rh % 3 = 0 THEN 'Promotional credit' ELSE 'Enterprise agreement credit' END WHEN 2 THEN 'VAT for ' || service WHEN 3 THEN 'Refund: ' || description
            WHEN 5 THEN 'Unused ' || commit_type || ' - ' || service WHEN 6 THEN commit_type || ' fee - ' || service ELSE description END AS ChargeDescription,
       CASE class WHEN 6 THEN frequency WHEN 1 THEN 'One-Time' WHEN 3 THEN 'One-Time' ELSE 'Usage-Based' END AS ChargeFrequency,
       CASE WHEN class = 6 THEN till::TIMESTAMP WHEN hourly THEN start + INTERVAL 1 HOUR ELSE start + INTERVAL 1 DAY END AS ChargePeriodEnd,
       start AS ChargePeriodStart,
       commit_category AS CommitmentDiscountCategory, commit_id AS CommitmentDiscountId, commit_name AS CommitmentDiscountName,
       CASE class WHEN 4 THEN 'Used' WHEN 5 THEN 'Unused' END AS CommitmentDiscountStatus, commit_type AS CommitmentDiscountType,
       (q3::DECIMAL(15,0) * 0.001)::DECIMAL(38,18) AS ConsumedQuantity, CASE WHEN q3 IS NOT NULL THEN s.unit END AS ConsumedUnit,
       (contracted10::DECIMAL(19,0) * 0.0000000001)::DECIMAL(38,18) AS ContractedCost,
       CASE class WHEN 6 THEN (fee10::DECIMAL(19,0) * 0.0000000001)::DECIMAL(38,18) ELSE CASE WHEN q3 IS NOT NULL THEN (contract7::DECIMAL(12,0) * 0.0000001)::DECIMAL(38,18) END END AS ContractedUnitPrice,
       (effective10::DECIMAL(19,0) * 0.0000000001)::DECIMAL(38,18) AS EffectiveCost,
       a.issuer AS InvoiceIssuerName,
       (list10::DECIMAL(19,0) * 0.0000000001)::DECIMAL(38,18) AS ListCost,
       CASE class WHEN 6 THEN (fee10::DECIMAL(19,0) * 0.0000000001)::DECIMAL(38,18) ELSE CASE WHEN q3 IS NOT NULL THEN (list7::DECIMAL(12,0) * 0.0000001)::DECIMAL(38,18) END END AS ListUnitPrice,
       CASE WHEN spot THEN 'Dynamic' WHEN class = 4 THEN 'Committed' WHEN class IN (0, 3) THEN 'Standard' WHEN class = 6 THEN 'Other' END AS PricingCategory,
       CASE class WHEN 6 THEN 1::DECIMAL(38,18) ELSE (q3::DECIMAL(15,0) * 0.001)::DECIMAL(38,18) END AS PricingQuantity,
       CASE WHEN class = 6 THEN 'Fee' WHEN q3 IS NOT NULL THEN s.unit END AS PricingUnit,
       a.provider AS ProviderName, CASE WHEN service LIKE 'Datadog%' THEN 'Datadog, Inc.' ELSE a.issuer END AS PublisherName,
       CASE WHEN class <> 2 THEN g.id END AS RegionId, CASE WHEN class <> 2 THEN g.name END AS RegionName,
       CASE WHEN class IN (0, 3, 4) THEN resource_id END AS ResourceId, CASE WHEN class IN (0, 3, 4) THEN resource_name END AS ResourceName,
       CASE WHEN class IN (0, 3, 4) THEN resource_type END AS ResourceType,
       category AS ServiceCategory, service AS ServiceName,
       CASE WHEN class NOT IN (1, 2) THEN sku_id END AS SkuId, CASE WHEN class NOT IN (1, 2) THEN sku_price_id END AS SkuPriceId,
       a.id AS SubAccountId, a.name AS SubAccountName,
       CASE WHEN class IN (0, 3, 4) THEN tags END AS Tags,
       CASE WHEN class IN (0, 3, 4) THEN operation END AS x_Operation, CASE WHEN class IN (0, 3, 4) THEN usage_type END AS x_UsageType
FROM summed s JOIN demo_account a ON a.account = s.account LEFT JOIN demo_region g ON g.region = s.region
